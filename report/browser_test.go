//go:build browser

package report

// What testdata/browser opens pages with: go mod tidy does not look into that folder.
import (
	_ "github.com/chromedp/cdproto"
	_ "github.com/chromedp/chromedp"
)
