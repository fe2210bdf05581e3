//go:build record

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Cgroups of version 2 without the controllers of processor time and memory measure no
// throttling and no memory. Where a record is to tell of these, they are put into what was
// really recorded.

// A usedStep is what a record says that a step used.
type usedStep struct {
	command string         // that it ran
	last    map[string]any // its last sample
}

// editRecord changes what the steps of a record used.
func editRecord(t *testing.T, path string, edit func(*usedStep)) {
	t.Helper()
	blobs := readRecord(t, path)
	for name, content := range blobs {
		var provenance map[string]any
		if !strings.HasPrefix(name, "blobs/") || json.Unmarshal(content, &provenance) != nil || provenance["buildConfig"] == nil {
			continue
		}
		for _, op := range provenance["buildConfig"].(map[string]any)["llbDefinition"].([]any) {
			op := op.(map[string]any)
			usage, ok := op["resourceUsage"].(map[string]any)
			if !ok {
				continue
			}
			samples := usage["samples"].([]any)
			s := &usedStep{last: samples[len(samples)-1].(map[string]any)}
			exec := op["op"].(map[string]any)["Op"].(map[string]any)["exec"].(map[string]any)
			s.command = fmt.Sprint(exec["meta"].(map[string]any)["args"])
			edit(s)
		}
		edited, err := json.MarshalIndent(provenance, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		replace(t, blobs, name, edited)
		break
	}
	writeRecord(t, path, blobs)
}

// replace gives a blob other content, and so another name, which all that name it get.
func replace(t *testing.T, blobs map[string][]byte, name string, content []byte) {
	t.Helper()
	old := strings.TrimPrefix(name, "blobs/sha256/")
	digest := fmt.Sprintf("%x", sha256.Sum256(content))
	delete(blobs, name)
	blobs["blobs/sha256/"+digest] = content
	for {
		parent := ""
		for _, name := range slices.Sorted(maps.Keys(blobs)) {
			if bytes.Contains(blobs[name], []byte(old)) {
				parent = name // whose own name, and so those that name it, may change with it
			}
		}
		if parent == "" {
			return
		}
		var document any
		if err := json.Unmarshal(blobs[parent], &document); err != nil {
			t.Fatal(err)
		}
		rename(document, "sha256:"+old, "sha256:"+digest, len(content))
		edited, err := json.MarshalIndent(document, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(parent, "blobs/") {
			replace(t, blobs, parent, edited)
		} else {
			blobs[parent] = edited
		}
	}
}

// rename changes a descriptor wherever it stands.
func rename(in any, from, to string, size int) {
	switch in := in.(type) {
	case map[string]any:
		if in["digest"] == from {
			in["digest"], in["size"] = to, size
		}
		for _, value := range in {
			rename(value, from, to, size)
		}
	case []any:
		for _, value := range in {
			rename(value, from, to, size)
		}
	}
}

func readRecord(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	blobs := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return blobs
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if blobs[h.Name], err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func writeRecord(t *testing.T, path string, blobs map[string][]byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(blobs)) {
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(blobs[name]))})
		w.Write(blobs[name])
	}
	if w.Close() != nil || z.Close() != nil {
		t.Fatalf("%s cannot be written", path)
	}
}
