package browser

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var update = flag.Bool("update", false, "make the pictures of the manual")

// The pictures of the manual are there, in light and dark, and small; -update makes them.
func TestPictures(t *testing.T) {
	const most = 150_000 // bytes
	for _, picture := range []struct {
		name          string
		page          func() string
		width, height int64
		before        func(*tab)
	}{
		{"history", func() string { return pageOf(t, "story") }, 1280, 900, func(b *tab) { // the first slow build of the last change
			for range 8 {
				b.key(kb.ArrowLeft)
			}
			b.says("build 33 of 40")
		}},
		{"waterfall", func() string { return pageOf(t, "show") }, 1280, 860, func(b *tab) { // a step that had time to spare
			for range 8 {
				b.key(kb.ArrowRight)
			}
			b.says("bundle", "to spare")
			b.want(`[...document.querySelectorAll('h2')].some(h => { if (h.innerText.startsWith('When')) { scrollTo(0, h.offsetTop - 70); return true } })`)
		}},
		{"comment", func() string { return commentPage(t) }, 860, 500, func(*tab) {}},
	} {
		for _, scheme := range []string{"light", "dark"} {
			path := filepath.Join("../../docs/images", picture.name+"-"+scheme+".png")
			if *update {
				b := open(t, file(t, picture.page()), look{picture.width, scheme, ""})
				b.resize(picture.width, picture.height)
				picture.before(b)
				shot, err := chromedp.Run(b, chromedp.CaptureScreenshot())
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, smaller(t, shot), 0o644); err != nil {
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
			if len(data) > most || int64(config.Width) != picture.width {
				t.Errorf("%s: %d bytes, %d pixels wide", path, len(data), config.Width)
			}
		}
	}
}

// smaller is a picture in its 256 most frequent colours: there are few others, at the edges
// of letters.
func smaller(t *testing.T, picture []byte) []byte {
	t.Helper()
	from, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(from.At(x, y)).(color.RGBA) }
	box := from.Bounds()
	for y := range box.Dy() {
		for x := range box.Dx() {
			counts[at(x, y)]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	var colors color.Palette
	for _, c := range frequent[:min(len(frequent), 256)] {
		colors = append(colors, c)
	}
	to := image.NewPaletted(box, colors)
	nearest := map[color.RGBA]uint8{}
	for c := range counts {
		nearest[c] = uint8(colors.Index(c))
	}
	for y := range box.Dy() {
		for x := range box.Dx() {
			to.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, to); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
