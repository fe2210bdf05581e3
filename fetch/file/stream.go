package file

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds"
)

// largeFrom is from how many bytes on a builds file is not read into memory where it need
// not be.
const largeFrom = 8 << 20

// A Large is a builds file that is read piece by piece, however long it is.
type Large struct{ path string }

// OpenLarge is the builds file at path, if it is one and large, else nil.
func OpenLarge(path string) *Large {
	f, err := fetch.OpenRegular(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() < largeFrom {
		return nil
	}
	const head = 1 << 20
	beginning, err := io.ReadAll(io.LimitReader(f, head))
	if err != nil || !builds.IsLine(beginning) {
		return nil
	}
	return &Large{path}
}

// Look tells how many builds it may hold, and when the newest began.
func (l *Large) Look(ctx context.Context) (s builds.Survey, err error) {
	err = l.open(func(f *os.File) error {
		s, err = builds.Look(ctx, f)
		return err
	})
	return s, err
}

// Stream hands its builds over, some hundreds at a time, in their order. What could not be
// read is a problem; an error of each ends it.
func (l *Large) Stream(ctx context.Context, each func([]timeline.Build) error) (problems, err error) {
	n := 0
	err = l.open(func(f *os.File) (err error) {
		problems, err = builds.Stream(canceller{ctx, f}, l.path, func(list []timeline.Build) error {
			n += len(list)
			return each(list)
		})
		return err
	})
	switch {
	case ctx.Err() != nil: // which reading takes for a fault of the file
		return nil, cmp.Or(err, ctx.Err())
	case err != nil:
		return problems, err
	case n == 0 && problems == nil:
		return nil, decodeError(l.path, fetch.ErrNoBuilds)
	}
	return problems, nil
}

func (l *Large) open(read func(*os.File) error) error {
	f, err := os.Open(l.path)
	if err != nil {
		return pathError(l.path, err)
	}
	return errors.Join(read(f), f.Close())
}
