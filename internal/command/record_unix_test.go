//go:build unix

package command

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/cli/clitest"
)

// An onWrite does something as soon as something is written.
type onWrite struct {
	bytes.Buffer
	text string
	do   func()
}

func (w *onWrite) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if w.do != nil && strings.Contains(w.String(), w.text) {
		w.do()
		w.do = nil
	}
	return n, err
}

// An interrupt ends the pruning after a recording, too; what was recorded is told.
func TestInterruptOfPruning(t *testing.T) {
	t.Chdir(t.TempDir())
	writeBuilds(t, "b.jsonl", clitest.Builds(0, 2000, "", nil), 0)
	var stdout bytes.Buffer
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// The last that is written before the pruning.
	stderr := &onWrite{text: "nothing says the branch", do: func() {
		if err := self.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
	}}
	err = Record(t.Context(), recordEnv(&stdout, stderr), &RecordOptions{
		Sources: []string{"b.jsonl"}, Store: "sqlite:" + filepath.Join(t.TempDir(), "s.db"), Keep: 24 * time.Hour,
	})
	if !errors.Is(err, source.ErrInterrupted) || !strings.HasPrefix(stdout.String(), "2000 builds read, 2000 new") {
		t.Errorf("%v\n%s%s", err, &stdout, stderr)
	}
}
