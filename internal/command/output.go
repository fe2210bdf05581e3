package command

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/report"
)

// OutputOptions say where a report goes, and in which formats.
type OutputOptions struct {
	Format  report.Format // on standard output
	Files   []OutputFile
	Explain string // glob of the steps to explain, "" for none
	Text    report.TextOptions
}

// An OutputFile is a file that a report is written to.
type OutputFile struct {
	Format report.Format
	Path   string
}

// An outputError tells that a report could not be written to a file.
type outputError struct {
	path string
	err  error
}

func (e outputError) Error() string {
	err := e.err
	if p, ok := errors.AsType[*fs.PathError](err); ok { // its path may be that of a temporary file
		err = p.Err
	}
	return fmt.Sprintf("%s: %v", e.path, err)
}

func (e outputError) Unwrap() error { return e.err }

// Hint says what names the files.
func (e outputError) Hint() string { return "--output FORMAT=PATH names another place" }

// write gives the report to all that it is for. What fails keeps nothing else from
// being written.
func (o *OutputOptions) write(w io.Writer, r *detect.Report) error {
	err := o.render(w, func(f report.Format, w io.Writer, to report.TextOptions) error { return f.Write(w, r, to) })
	if o.Explain != "" {
		err = errors.Join(err, report.Explain(w, r, o.Explain))
	}
	return err
}

// A rendering writes one document in a format.
type rendering func(f report.Format, w io.Writer, o report.TextOptions) error

// render writes a document to all that it is for.
func (o *OutputOptions) render(w io.Writer, write rendering) error {
	errs := []error{write(o.Format, w, o.Text)}
	for _, f := range o.Files {
		var b bytes.Buffer
		err := write(f.Format, &b, report.TextOptions{Code: o.Text.Code})
		if err == nil {
			err = writeFile(f.Path, b.Bytes())
		}
		if err != nil {
			errs = append(errs, outputError{f.Path, err})
		}
	}
	return errors.Join(errs...)
}

// IsSameFile tells whether two paths lead to one regular file, or would once there is
// one.
func IsSameFile(a, b string) bool {
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	switch {
	case errA == nil && errB == nil:
		return ia.Mode().IsRegular() && os.SameFile(ia, ib)
	case errA == nil || errB == nil:
		return false
	}
	return resolve(a) == resolve(b)
}

// resolve is where a file is made that is written at path, links followed.
func resolve(path string) string {
	const most = 10 // links, as they may lead in a circle
	for range most {
		link, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	dir, base := filepath.Split(filepath.Clean(path))
	if resolved, err := filepath.EvalSymlinks(filepath.Clean(dir)); err == nil {
		dir = resolved
	}
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	return filepath.Join(dir, base)
}

// writeFile writes a file as a whole or not at all. What is there and no regular file
// (/dev/stderr, a pipe) is written to as it is.
func writeFile(path string, data []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, data, 0o666)
	}
	path = resolve(path)
	// Not os.CreateTemp, whose files nobody else may read. What another process left
	// behind has another name.
	temporary := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%s", filepath.Base(path), rand.Text()))
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(temporary) // without effect once it is renamed
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
