package browser

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var update = flag.Bool("update", false, "make the pictures of the manual")

// The pictures of the manual are there, in light and dark, and small; -update makes them.
func TestPictures(t *testing.T) {
	const most = 150_000 // bytes
	for _, picture := range []struct {
		name, kind string
		height     int64
		before     func(*tab)
	}{
		{"history", "shop", 1000, func(b *tab) {
			b.run(chromedp.Evaluate[chromedp.Void](`location.hash = 'at=2026-03-08T20:00:00'`))
			b.want(`document.querySelector('aside h2')`)
		}},
		{"waterfall", "show", 760, func(b *tab) { b.key(kb.ArrowRight) }},
	} {
		for _, scheme := range []string{"light", "dark"} {
			path := filepath.Join("../../docs/images", picture.name+"-"+scheme+".png")
			if *update {
				b := open(t, file(t, pageOf(t, picture.kind)), look{1280, scheme, ""})
				b.resize(1280, picture.height)
				picture.before(b)
				shot, err := chromedp.Run(b, chromedp.CaptureScreenshot())
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, shot, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			config, err := png.DecodeConfig(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > most || config.Width != 1280 {
				t.Errorf("%s: %d bytes, %d pixels wide", path, len(data), config.Width)
			}
		}
	}
}
