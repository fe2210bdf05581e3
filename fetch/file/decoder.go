package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/pipeline"
)

// A decoder gathers the builds of one file and of all that is packed in it, or
// of all files in a folder.
type decoder struct {
	ctx       context.Context // for the life of one call, so that no loop outlives it
	builds    []timeline.Build
	warnings  []error
	pipelines pipeline.Options
	left      int64           // bytes of this file that may yet be unpacked
	entries   int             // in the builds, see builds.Entries
	logged    map[string]bool // builds that were read from logs
}

func newDecoder(ctx context.Context) *decoder { return &decoder{ctx: ctx, left: MaxFile} }

// with is the decoder that reads as the options say.
func (d *decoder) with(o Options) *decoder {
	d.pipelines = o.Pipelines
	return d
}

// open reads the file at path.
func (d *decoder) open(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return pathError(path, err)
	}
	defer f.Close()
	size := int64(0)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return d.read(path, f, size)
}

// read reads what r holds, about size bytes as far as that is known.
func (d *decoder) read(name string, r io.Reader, size int64) error {
	var data bytes.Buffer
	data.Grow(int(min(size, MaxFile)) + bytes.MinRead)
	if _, err := data.ReadFrom(io.LimitReader(canceller{d.ctx, r}, MaxFile+1)); err != nil {
		return pathError(name, err)
	}
	if data.Len() > MaxFile {
		return decodeError(name, errTooLarge)
	}
	return d.decode(name, data.Bytes(), 0)
}

// errTooLarge tells that a file does not fit.
var errTooLarge = fetch.ErrorWithHint(fmt.Sprintf("larger than %d MiB", MaxFile>>20),
	"of a builds file, --build REF names one that is judged, and record takes all, however many they are")

// result is what was found in the file of this name, in which nothing stopped
// the reading but perhaps the end of its time.
func (d *decoder) result(name string) ([]timeline.Build, []error, error) {
	switch ended := d.ctx.Err(); {
	case ended != nil:
		return nil, nil, ended
	case len(d.builds) == 0:
		return nil, d.warnings, fmt.Errorf("%s: %w", redact.Text(name), fetch.ErrNoBuilds)
	}
	return d.builds, d.warnings, nil
}

// partial is what was found before err stopped the reading.
func (d *decoder) partial(err error) ([]timeline.Build, []error, error) {
	switch ended := d.ctx.Err(); {
	case ended != nil:
		return nil, nil, ended
	case len(d.builds) == 0:
		return nil, d.warnings, err
	}
	return d.builds, append(d.warnings, err), nil
}

var errTooMany = fmt.Errorf("too much: more than %d builds, or %d steps, inputs and lines of log in them; what follows is left out",
	builds.MaxBuilds, builds.MaxEntries)

// add takes over builds, and warnings on them, each of which gets the name.
func (d *decoder) add(name string, list []timeline.Build, warnings []error) error {
	for _, w := range warnings {
		d.warn(name, w)
	}
	for i := range list {
		n := builds.Entries(&list[i])
		if len(d.builds) == builds.MaxBuilds || d.entries+n > builds.MaxEntries {
			return decodeError(name, errTooMany)
		}
		d.builds = append(d.builds, list[i])
		d.entries += n
	}
	return nil
}

// isKnownLog tells whether a build has been read from a log already: what GitHub packs
// of a run has the log of each job, and that of each of its steps.
func (d *decoder) isKnownLog(b timeline.Build) bool {
	id := b.Pipeline + " " + b.ID
	known := d.logged[id]
	if d.logged == nil {
		d.logged = map[string]bool{}
	}
	d.logged[id] = true
	return known
}

func (d *decoder) warn(name string, err error) {
	const most = 1000
	if len(d.warnings) < most {
		d.warnings = append(d.warnings, decodeError(name, err))
	}
}

// isFatal tells whether an error with one member ends the reading of all.
func (d *decoder) isFatal(err error) bool {
	return d.ctx.Err() != nil || errors.Is(err, errTooMany) || errors.Is(err, errUnpacked)
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
