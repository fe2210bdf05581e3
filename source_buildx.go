package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildx"
)

// localBuilder is the newest build of the builder in use, the SOURCE of a check
// that names none.
const localBuilder = "buildx:"

// openBuildx opens a SOURCE buildx:[BUILDER/][REF].
func openBuildx(_ context.Context, w *world, _ settings, url string, _ fetch.Cache) (origin, error) {
	place, err := buildx.Parse(url[len(localBuilder):])
	if errors.As(err, new(*fs.PathError)) {
		return origin{}, err
	}
	if err != nil {
		return origin{}, usageError{"buildx: " + err.Error(), "it is written buildx:[BUILDER/][REF], buildx:REF,REF or buildx:@METADATA-FILE"}
	}
	return origin{Source: localBuilds{w, buildx.New(place)}, name: url}, nil
}

// localBuilds are those of a local builder.
type localBuilds struct {
	w       *world
	records *buildx.Source
}

var errInterrupted = errors.New("interrupted")

// Builds runs a command, which an interrupt has to end as well as us.
func (l localBuilds) Builds(ctx context.Context, wanted fetch.Selector) ([]detect.Build, []error, error) {
	l.w.debug("asking the local builder")
	interruptible, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	builds, problems, err := l.records.Builds(interruptible, wanted)
	if err != nil && interruptible.Err() != nil && ctx.Err() == nil {
		err = errInterrupted
	}
	return builds, problems, err
}
