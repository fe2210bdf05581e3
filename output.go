package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/report"
)

// formats are those of a report.
var formats = []string{"text", "markdown", "json"}

// An outputPlan says where a report goes, and in which forms.
type outputPlan struct {
	format  string // on standard output
	files   []outputFile
	explain string // glob of the steps to explain, "" for none
	text    report.TextOptions
}

type outputFile struct{ format, path string }

func planOutput(w *world, s settings) (p outputPlan, err error) {
	p.format, p.explain = "text", s.text("explain")
	if _, said := s["format"]; said {
		if p.format, err = s.oneOf("format", formats...); err != nil {
			return p, err
		}
	}
	if p.explain != "" && p.format != "text" {
		return p, usagef("%s: explanations are text, and standard output is to be %s", s["explain"].from, p.format)
	}
	said := s["output"]
	for _, v := range said.values {
		format, path, ok := strings.Cut(v, "=")
		switch {
		case !ok || path == "":
			return p, usagef("%s: %q is not FORMAT=PATH", said.from, v)
		case !slices.Contains(formats, format):
			return p, usagef("%s: format %q is not one of %s", said.from, format, strings.Join(formats, ", "))
		case path == "-":
			return p, usageError{fmt.Sprintf("%s: %q names no file", said.from, v), "--format says what goes to standard output"}
		case slices.ContainsFunc(p.files, func(f outputFile) bool { return samePlace(f.path, path) }):
			return p, usagef("%s: two reports are to go to %s", said.from, path)
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return p, usageError{fmt.Sprintf("%s: %s: there is no such folder", said.from, filepath.Dir(path)), "make it first: reports go to folders that exist"}
		}
		p.files = append(p.files, outputFile{format, path})
	}
	color, err := s.oneOf("color", "auto", "always", "never")
	p.text = report.TextOptions{
		Width: w.width,
		Color: color == "always" || color == "auto" && w.terminal && w.env("NO_COLOR") == "" && w.env("TERM") != "dumb",
	}
	return p, err
}

// A place is a file that no report may go to.
type place struct{ path, what string }

// spare refuses to write over what is read or kept.
func (p *outputPlan) spare(places ...place) error {
	for _, f := range p.files {
		for _, kept := range places {
			if kept.path != "" && kept.path != "-" && samePlace(f.path, kept.path) {
				return usageError{fmt.Sprintf("--output: %s is %s", f.path, kept.what), "name another file for the report"}
			}
		}
	}
	return nil
}

// samePlace tells whether two paths lead to one regular file, or would once there
// is one.
func samePlace(a, b string) bool {
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	switch {
	case errA == nil && errB == nil:
		return ia.Mode().IsRegular() && os.SameFile(ia, ib)
	case errA == nil || errB == nil:
		return false
	}
	return target(a) == target(b)
}

// target is where a file is made that is written at path, links followed.
func target(path string) string {
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

// write gives the report to all that it is for. What fails keeps nothing else
// from being written.
func (p *outputPlan) write(w *world, r *detect.Report) error {
	errs := []error{p.render(w.stdout, p.format, r, p.text)}
	if p.explain != "" {
		errs = append(errs, explain(w.stdout, r, p.explain))
	}
	for _, f := range p.files {
		var b bytes.Buffer
		err := p.render(&b, f.format, r, report.TextOptions{})
		if err == nil {
			err = writeFile(f.path, b.Bytes())
		}
		if err != nil {
			errs = append(errs, outputError{f.path, err})
		}
	}
	return errors.Join(errs...)
}

func (p *outputPlan) render(w io.Writer, format string, r *detect.Report, o report.TextOptions) error {
	switch format {
	case "json":
		return report.JSON(w, r)
	case "markdown":
		return report.Markdown(w, r)
	}
	return report.Text(w, r, o)
}

// writeFile writes a file as a whole or not at all. What is there and no regular
// file (/dev/stderr, a pipe) is written to as it is.
func writeFile(path string, data []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, data, 0o666)
	}
	path = target(path)
	// Not os.CreateTemp, whose files nobody else may read. What another process
	// left behind has another name.
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
