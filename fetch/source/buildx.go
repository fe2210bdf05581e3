package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildx"
)

// LocalBuilder is the newest build of the builder in use, the SOURCE of a check that
// names none.
const LocalBuilder = "buildx:"

// openBuildx opens buildx:[BUILDER/][REF].
func openBuildx(o *Options, address string) (Source, error) {
	ref, err := buildx.Parse(strings.TrimPrefix(address, LocalBuilder))
	if errors.As(err, new(*fs.PathError)) {
		return Source{}, err
	}
	if err != nil {
		return Source{}, &AddressError{"buildx: " + err.Error(), "it is written buildx:[BUILDER/][REF], buildx:REF,REF, buildx:[BUILDER/]* or buildx:@METADATA-FILE"}
	}
	records := buildx.New(ref, buildx.Options{Revision: o.Revision, Progress: o.Progress, Host: o.Host, Now: o.Now, DockerHost: o.DockerHost})
	from := Source{Source: localBuilds{o.Debugf, records}, Name: address, Mixed: ref.All, Traced: records.Traced}
	if !ref.All {
		from.Kept = LocalBuilder + "*"
		if ref.Builder != "" {
			from.Kept = LocalBuilder + ref.Builder + "/*"
		}
	}
	return from, nil
}

// localBuilds are those of a local builder.
type localBuilds struct {
	debugf  func(format string, args ...any)
	records *buildx.Source
}

// ErrInterrupted tells that people want no more of it.
var ErrInterrupted = errors.New("interrupted")

// Builds runs a command, which an interrupt has to end as well as us.
func (l localBuilds) Builds(ctx context.Context, wanted fetch.Selector) ([]timeline.Build, []error, error) {
	l.debugf("asking the local builder")
	interruptible, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	builds, problems, err := l.records.Builds(interruptible, wanted)
	if interruptible.Err() != nil && ctx.Err() == nil {
		return nil, nil, ErrInterrupted
	}
	return builds, problems, err
}
