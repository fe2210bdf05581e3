//go:build unix

package file

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOddFolder has in a folder what blocks whoever opens it, links that lead
// nowhere, and a build.
func TestOddFolder(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "a-pipe")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"b-loop": "b-loop", "c-gone": "nowhere", "d-self": ".", "e-null": os.DevNull} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "z"), []byte(`{"id":"x","steps":[]}`), 0o666); err != nil {
		t.Fatal(err)
	}
	list, warnings, err := Open(t.Context(), dir, Options{})
	if err != nil || len(list) != 1 || len(warnings) != 2 || !strings.Contains(warnings[0].Error(), "b-loop") || !strings.Contains(warnings[1].Error(), "c-gone") {
		t.Errorf("%d builds, warnings %v, error %v; want 1 build and warnings on the loop and the broken link", len(list), warnings, err)
	}
	// Given by its name, a pipe is read.
	go func() { _ = os.WriteFile(pipe, []byte(`{"id":"y","steps":[]}`), 0) }()
	if list, _, err := Open(t.Context(), pipe, Options{}); err != nil || len(list) != 1 {
		t.Errorf("%d builds in the pipe, error %v", len(list), err)
	}
}
