package github

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Files that a runner of GitHub Actions makes for a step, and reads after it.

// maxJobSummary is what GitHub takes from one step of a job, in bytes; of more it takes
// nothing.
const maxJobSummary = 1 << 20

// ErrSummaryFull tells that a step has written as much into its summary as it may.
var ErrSummaryFull = errors.New("what the step has written already fills it")

// AddSummary adds to the summary of a job, in the file that GITHUB_STEP_SUMMARY names,
// what render makes of the room that is left, in bytes.
func AddSummary(path string, render func(room int) string) error {
	const least = 4000
	room := maxJobSummary - 1000
	if info, err := os.Stat(path); err == nil {
		room -= int(min(info.Size(), maxJobSummary))
	}
	if room < least {
		return ErrSummaryFull
	}
	return appendFile(path, []byte(render(room)+"\n"))
}

// An Output is a value that a step hands to the steps after it.
type Output struct{ Name, Value string }

// AddOutputs sets outputs of a step, in the file that GITHUB_OUTPUT names.
func AddOutputs(path string, outputs []Output) error {
	var b bytes.Buffer
	for _, o := range outputs {
		// Nobody can write a line that ends the value before its end.
		end := "end-" + rand.Text()
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.Name, end, strings.TrimRight(o.Value, "\r\n"), end)
	}
	return appendFile(path, b.Bytes())
}

// appendFile adds to a file that the runner made.
func appendFile(path string, data []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "append", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
