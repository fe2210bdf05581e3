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

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/pipeline"
)

// What is read at most, besides what boundjson, buildkit, builds and spans say. Files
// come from anywhere, artifacts of forks included; real ones stay far below.
// With all bounds together no input takes more than about 1.5 GB of memory.
const (
	MaxFile    = 128 << 20 // bytes of a file, and of all that it unpacks to
	MaxMembers = 10_000    // of an archive or a folder
	maxPacked  = 4         // archives in archives
)

// Options say where to read from.
type Options struct {
	Stdin io.Reader // what the path "-" stands for
	// Pipelines say how traces of CI pipelines are read.
	Pipelines pipeline.Options
}

// Open reads the builds in a file, in standard input ("-"), or in all files of
// a folder, those in folders below it left out.
//
// Where only a part can be read, that part is returned, with warnings on the
// rest. It is an error if nothing can: *fetch.DecodeError if something is wrong
// with it, fetch.ErrNoBuilds if it is sound and holds no build.
func Open(ctx context.Context, path string, o Options) (builds []timeline.Build, warnings []error, err error) {
	if path == "-" {
		if o.Stdin == nil {
			return nil, nil, errors.New("standard input: there is none")
		}
		return read(newDecoder(ctx).with(o), "standard input", o.Stdin)
	}
	d := newDecoder(ctx).with(o)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, nil, pathError(path, err)
	case info.IsDir():
		return openFolder(d, path)
	}
	if err := d.open(path); err != nil {
		return d.partial(err)
	}
	return d.result(path)
}

// read reads the builds in r. name stands for it in errors.
func read(d *decoder, name string, r io.Reader) (builds []timeline.Build, warnings []error, err error) {
	if err := d.read(name, r, 0); err != nil {
		return d.partial(err)
	}
	return d.result(name)
}

// Decode reads the builds in data, as Open does. name stands for it in errors.
func Decode(ctx context.Context, name string, data []byte) (builds []timeline.Build, warnings []error, err error) {
	d := newDecoder(ctx)
	if err := d.decode(name, data, 0); err != nil {
		return d.partial(err)
	}
	return d.result(name)
}

func openFolder(d *decoder, path string) (builds []timeline.Build, warnings []error, err error) {
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, nil, pathError(path, err)
	}
	if len(entries) > MaxMembers {
		return nil, nil, decodeError(path, fmt.Errorf("more than %d files", MaxMembers))
	}
	for _, e := range entries {
		member := filepath.Join(path, e.Name())
		// Stat follows links, as opening does; pipes and devices could block.
		info, err := os.Stat(member)
		if err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err == nil {
			d.left = MaxFile
			err = d.open(member)
		} else {
			err = pathError(member, err)
		}
		switch {
		case d.ctx.Err() != nil, errors.Is(err, errTooMany):
			return d.partial(err)
		case err != nil:
			d.warnings = append(d.warnings, err)
		}
	}
	if len(d.builds) == 0 && d.ctx.Err() == nil {
		return nil, nil, errors.Join(append([]error{fmt.Errorf("%s: %w", redact.Text(path), fetch.ErrNoBuilds)}, d.warnings...)...)
	}
	return d.result(path)
}

// decodeError says in what something is wrong, once.
func decodeError(name string, err error) error {
	if _, ok := errors.AsType[*fetch.DecodeError](err); ok {
		return err
	}
	return &fetch.DecodeError{Name: name, Offset: -1, Err: err}
}

// pathError is err without the name of the system call and with the path, once.
func pathError(path string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", redact.Text(path), err)
}
