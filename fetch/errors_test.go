package fetch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/fetch"
)

func TestErrorWithHint(t *testing.T) {
	err := fmt.Errorf("a.zip: %w", fetch.ErrNoBuilds)
	var hinted interface{ Hint() string }
	if !errors.Is(err, fetch.ErrNoBuilds) || !errors.As(err, &hinted) || !strings.HasPrefix(hinted.Hint(), "give a .dockerbuild record") {
		t.Errorf("%v has no hint", err)
	}
	if other := fetch.ErrorWithHint("no build in it", "x"); errors.Is(other, fetch.ErrNoBuilds) {
		t.Error("two errors are one because they say the same")
	}
}
