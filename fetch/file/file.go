// Package file reads builds from files: build records, progress logs, traces
// and builds files. What a file is shows in its content; its name says nothing.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

// What is read at most. Files come from anywhere, artifacts of forks included;
// real ones stay a hundred times below.
const (
	MaxFile    = 256 << 20 // bytes of a file, and of all that it unpacks to
	MaxMembers = 10_000    // of an archive or a folder
	MaxNesting = 200       // of brackets in JSON, of values in protobuf
	MaxSpans   = 500_000   // of a file
	maxPacked  = 4         // archives in archives
)

// Options say where to read from.
type Options struct {
	Stdin io.Reader // what the path "-" stands for
}

// Open reads the builds in a file, in standard input ("-"), or in all files of
// a folder, those in folders below it left out.
//
// Where only a part can be read, that part is returned, with warnings on the
// rest. It is an error if nothing can: *fetch.DecodeError if something is wrong
// with it, fetch.ErrNoBuilds if it is sound and holds no build.
func Open(ctx context.Context, path string, o Options) (builds []detect.Build, warnings []error, err error) {
	if path == "-" {
		if o.Stdin == nil {
			return nil, nil, errors.New("standard input: there is none")
		}
		return Read(ctx, "standard input", o.Stdin)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, bare(path, err)
	}
	if info.IsDir() {
		return openFolder(ctx, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, bare(path, err)
	}
	defer f.Close()
	return Read(ctx, path, f)
}

// Read reads the builds in r. name stands for it in errors.
func Read(ctx context.Context, name string, r io.Reader) (builds []detect.Build, warnings []error, err error) {
	data, err := io.ReadAll(io.LimitReader(canceller{ctx, r}, MaxFile+1))
	if err != nil {
		return nil, nil, bare(name, err)
	}
	if len(data) > MaxFile {
		return nil, nil, wrong(name, fmt.Errorf("larger than %d MiB", MaxFile>>20))
	}
	return Decode(name, data)
}

// Decode reads the builds in data, as Open does. name stands for it in errors.
func Decode(name string, data []byte) (builds []detect.Build, warnings []error, err error) {
	d := &decoder{left: MaxFile}
	if err := d.decode(name, data, 0); err != nil {
		return nil, d.warnings, err
	}
	if len(d.builds) == 0 {
		return nil, d.warnings, fmt.Errorf("%s: %w", name, fetch.ErrNoBuilds)
	}
	return d.builds, d.warnings, nil
}

func openFolder(ctx context.Context, path string) (builds []detect.Build, warnings []error, err error) {
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, nil, bare(path, err)
	}
	if len(entries) > MaxMembers {
		return nil, nil, wrong(path, fmt.Errorf("more than %d files", MaxMembers))
	}
	for _, e := range entries {
		member := filepath.Join(path, e.Name())
		// Stat follows links, as Open does; pipes and devices could block.
		info, err := os.Stat(member)
		if err != nil {
			warnings = append(warnings, bare(member, err))
			continue
		}
		if !info.Mode().IsRegular() {
			continue
		}
		b, w, err := Open(ctx, member, Options{})
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		builds, warnings = append(builds, b...), append(warnings, w...)
		if err != nil {
			warnings = append(warnings, err)
		}
	}
	if len(builds) == 0 {
		return nil, nil, errors.Join(append([]error{fmt.Errorf("%s: %w", path, fetch.ErrNoBuilds)}, warnings...)...)
	}
	return builds, warnings, nil
}

// A decoder gathers the builds of one file and of all that is packed in it.
type decoder struct {
	builds   []detect.Build
	warnings []error
	left     int64 // bytes that may yet be unpacked
}

// add takes over builds, and warnings on them, each of which gets the name.
func (d *decoder) add(name string, builds []detect.Build, warnings []error) {
	d.builds = append(d.builds, builds...)
	for _, w := range warnings {
		d.warn(name, w)
	}
}

func (d *decoder) warn(name string, err error) {
	const most = 1000
	if len(d.warnings) < most {
		d.warnings = append(d.warnings, wrong(name, err))
	}
}

// wrong says in what something is wrong, once.
func wrong(name string, err error) error {
	var located *fetch.DecodeError
	if errors.As(err, &located) {
		return err
	}
	return &fetch.DecodeError{Name: name, Offset: -1, Err: err}
}

// bare is err without the name of the system call and with the path, once.
func bare(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// A canceller is a reader that ends when its context does.
type canceller struct {
	ctx context.Context
	r   io.Reader
}

func (c canceller) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
