package browser

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// axe-core, as npm has it, and the checksum of its archive.
const (
	axe    = "axe-core@4.14.1"
	axeSum = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axeCore is its script. Npm fetches it once.
func axeCore(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "buildregress-browser")
	path := filepath.Join(dir, strings.Replace(axe, "@", "-", 1)+".tgz")
	archive, err := os.ReadFile(path)
	if err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("npm", "pack", "--ignore-scripts", "--pack-destination", dir, axe).CombinedOutput(); err != nil {
			t.Fatalf("axe-core needs npm (apt-get install nodejs npm): %v\n%s", err, out)
		}
		if archive, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if sum := sha512.Sum512(archive); base64.StdEncoding.EncodeToString(sum[:]) != axeSum {
		t.Fatalf("%s has another checksum than %s", path, axe)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(unzipped); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			t.Fatal("no axe.min.js in it")
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "package/axe.min.js" {
			script, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			return string(script)
		}
	}
}

// axe-core finds nothing to say of any page: as it is opened, and with all that can be opened
// and a panel full of values.
func TestAccessible(t *testing.T) {
	script := axeCore(t)
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := open(t, file(t, pageOf(t, kind)), looks[0])
			value[bool](b, script+";true")
			violations := func(when string) {
				t.Helper()
				for _, v := range value[[]string](b, `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 300) + ' ' + n.any.map(a => a.message)).join(' | ')))`) {
					t.Errorf("%s: %s", when, v)
				}
			}
			violations("as opened")
			// One table that is a chart's twin is as good as all.
			b.want(`[...document.querySelectorAll('section > details, td.track:first-of-type details')].slice(0, 3).every(d => d.open = true)`)
			b.key(kb.ArrowRight)
			b.want(`document.querySelector('aside h2').innerText !== ''`)
			for _, l := range looks {
				b.look(l)
				violations(l.String())
			}
		})
	}
}
