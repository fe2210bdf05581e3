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
)

// npmFile is a file of a package, "name@version", whose archive has this checksum. Npm fetches
// it once.
func npmFile(t *testing.T, pkg, checksum, name string) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "buildregress-browser")
	path := filepath.Join(dir, strings.Replace(pkg, "@", "-", 1)+".tgz")
	archive, err := os.ReadFile(path)
	if err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("npm", "pack", "--ignore-scripts", "--pack-destination", dir, pkg).CombinedOutput(); err != nil {
			t.Fatalf("%s needs npm (apt-get install nodejs npm): %v\n%s", pkg, err, out)
		}
		if archive, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if sum := sha512.Sum512(archive); base64.StdEncoding.EncodeToString(sum[:]) != checksum {
		t.Fatalf("%s has another checksum than %s", path, pkg)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(unzipped); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("no %s in %s", name, pkg)
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "package/"+name {
			content, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			return string(content)
		}
	}
}
