package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/file"
	"github.com/buildregress/buildregress/fetch/store"
)

// defaultPipeline is that of builds of which nothing tells it.
const defaultPipeline = "default"

// A subject is a build that a command is about.
type subject struct {
	detect.Build
	made bool // just now, as far as it says
}

// readBuilds reads the builds at a path, each once, and returns what was wrong
// with the rest as warnings, which it says.
func readBuilds(ctx context.Context, w *world, path string) (builds []detect.Build, warnings []string, err error) {
	if store.Is(path) {
		return nil, nil, usageError{path + " is a store, not builds to read", "give it with --store or --baseline"}
	}
	if scheme, _, isURL := strings.Cut(path, "://"); isURL {
		return nil, nil, usageError{fmt.Sprintf("%s: no source is known as %s://", path, scheme), "give a file, a folder, or - for standard input"}
	}
	builds, problems, err := file.Open(ctx, path, file.Options{Stdin: w.stdin})
	for _, p := range problems {
		w.say("warning", p.Error())
		warnings = append(warnings, printable(p.Error()))
	}
	return fetch.Distinct(builds), warnings, err
}

// readSubjects reads the builds at a path, completes what they say of
// themselves, and keeps those that ref asks for, "" for all.
func readSubjects(ctx context.Context, w *world, n *namer, path, ref string) (subjects []subject, warnings []string, err error) {
	builds, warnings, err := readBuilds(ctx, w, path)
	if err != nil {
		return nil, warnings, err
	}
	var names []string
	for i := range builds {
		b := &builds[i]
		names = append(names, b.ID)
		if ref != "" && !isBuild(b, ref) {
			continue
		}
		n.complete(b)
		subjects = append(subjects, subject{*b, justMade(b, w.now)})
	}
	if len(subjects) == 0 {
		return nil, warnings, fmt.Errorf("%s: no build %q in it, but %s", path, ref, strings.Join(names[:min(len(names), 10)], ", "))
	}
	return subjects, warnings, nil
}

// isBuild tells whether ref means b: its id, the last part of it, its pipeline
// or the target at the end of that.
func isBuild(b *detect.Build, ref string) bool {
	return b.ID == ref || strings.HasSuffix(b.ID, "/"+ref) ||
		b.Pipeline == ref || strings.HasSuffix(b.Pipeline, " "+ref)
}

// settle gives the builds what a history cannot do without: a pipeline, and a
// start. Builds that say none are taken to have begun one after the other,
// until the given time.
func settle(subjects []subject, until time.Time) {
	for i := range subjects {
		b := &subjects[i].Build
		if b.Pipeline == "" {
			b.Pipeline = defaultPipeline
		}
		if b.Start.IsZero() {
			b.Start = until.Add(time.Duration(i-len(subjects)+1) * time.Microsecond)
		}
	}
	slices.SortStableFunc(subjects, func(a, b subject) int { return a.Start.Compare(b.Start) })
}

// storeOf is the store that was named, or the usual one.
func storeOf(s settings) (url string, err error) {
	if url = s.text("store"); !store.Is(url) {
		return "", usagef("%s: %q names no store: it is written sqlite:PATH", s["store"].from, url)
	}
	return url, nil
}

// A historian knows what a build is judged against.
type historian interface {
	History(context.Context, fetch.Query) (*detect.History, error)
}

// A collection is the historian of builds that were read from files.
type collection struct{ builds []detect.Build }

func (c *collection) History(_ context.Context, q fetch.Query) (*detect.History, error) {
	builds := slices.Clone(c.builds)
	for i := range builds {
		// They were given to compare with: where they say no pipeline, it is this.
		if builds[i].Pipeline == "" {
			builds[i].Pipeline = q.Build.Pipeline
		}
	}
	return fetch.Select(builds, q), nil
}

// readCollection reads the builds that were given as a baseline. Of flags, only
// the pipeline holds for them; the others are those of the build to be judged.
func readCollection(ctx context.Context, w *world, path, pipeline string) (*collection, []string, error) {
	builds, warnings, err := readBuilds(ctx, w, path)
	for i := range builds {
		b := &builds[i]
		override(b, identity{pipeline: pipeline})
		b.Repository = repositoryName(b.Repository)
		if b.Start.IsZero() { // in the order of the file, and before any build to be judged
			b.Start = w.now.Add(-time.Hour + time.Duration(i)*time.Microsecond)
		}
	}
	return &collection{builds}, warnings, err
}
