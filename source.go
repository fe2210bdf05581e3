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
	made      bool // just now, as far as it says
	unstarted bool // it does not say when it began
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
	builds, clashes := fetch.Distinct(builds)
	warnings = append(inShort(clashes, "more builds share an id"), inShort(problems, "more files could not be read")...)
	for _, p := range slices.Concat(problems, clashes) {
		w.say("warning", p.Error())
	}
	return builds, warnings, err
}

// inShort are the first few problems as notes, and how many more there are, with
// the words for those.
func inShort(problems []error, words string) (notes []string) {
	const most = 3
	for _, p := range problems[:min(len(problems), most)] {
		first, rest, several := strings.Cut(p.Error(), "\n")
		if several {
			first += fmt.Sprintf(" (and %d more)", strings.Count(rest, "\n")+1)
		}
		notes = append(notes, printable(first))
	}
	if more := len(problems) - most; more > 0 {
		notes = append(notes, fmt.Sprintf("… and %d %s", more, words))
	}
	return notes
}

// readSubjects reads the builds at a path, and keeps those that ref asks for, ""
// for all. They are yet to be completed by n, which has seen them all.
func readSubjects(ctx context.Context, w *world, n *namer, path, ref string) (subjects []subject, warnings []string, err error) {
	builds, warnings, err := readBuilds(ctx, w, path)
	if err != nil {
		return nil, warnings, err
	}
	n.see(builds)
	var names []string
	for i := range builds {
		b := &builds[i]
		names = append(names, b.ID)
		if ref == "" || isBuild(b, ref) {
			subjects = append(subjects, subject{*b, justMade(b, w.now), b.Start.IsZero()})
		}
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

// settle completes the builds, and gives them what a history cannot do without: a
// pipeline, and a start. Builds that say none are taken to have begun one after
// the other, until now.
func settle(subjects []subject, n *namer) {
	for i := range subjects {
		b := &subjects[i].Build
		n.complete(b)
		if b.Pipeline == "" {
			b.Pipeline = defaultPipeline
		}
		if b.Start.IsZero() {
			b.Start = n.now.Add(time.Duration(i-len(subjects)+1) * time.Microsecond)
		}
	}
	slices.SortStableFunc(subjects, func(a, b subject) int { return a.Start.Compare(b.Start) })
}

// storeOf is the store that an option names, or the usual one.
func storeOf(s settings, option string) (url string, err error) {
	if url = s.text(option); store.PathOf(url) == "" || !store.Is(url) {
		return "", usagef("%s: %q names no store: it is written sqlite:PATH", s[option].from, url)
	}
	return url, nil
}

// A historian knows what a build is judged against.
type historian interface {
	History(context.Context, fetch.Query) (*detect.History, error)
	Pipelines(context.Context) ([]fetch.Pipeline, error)
}

// readBaseline reads the builds that were given as a baseline. Of flags, only
// the pipeline holds for them; the others are those of the build to be judged.
// Builds that say no pipeline were given to compare with: they are of any.
func readBaseline(ctx context.Context, w *world, path, pipeline string) (*fetch.Memory, []string, error) {
	builds, warnings, err := readBuilds(ctx, w, path)
	memory := new(fetch.Memory)
	for i := range builds {
		b := &builds[i]
		override(b, identity{pipeline: pipeline})
		inFull(b)
		if b.Start.IsZero() { // in the order of the file, and before any build to be judged
			b.Start = w.now.Add(-time.Hour + time.Duration(i)*time.Microsecond)
		}
		memory.Add(*b)
	}
	return memory, warnings, err
}
