package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/store"
)

// record puts the builds of sources into the store, or prints them. A source
// that cannot be read does not keep the others from it.
func record(ctx context.Context, w *world, s settings, args []string) (code int, err error) {
	if len(args) == 0 {
		return 0, usageError{"no SOURCE given", "give build records, progress logs, traces or builds files, folders of them, or - for standard input"}
	}
	printing := false
	if _, said := s["format"]; said {
		if _, err := s.oneOf("format", "builds"); err != nil {
			return 0, err
		}
		printing = true
	}
	url, err := storeOf(s)
	if err != nil {
		return 0, err
	}
	ctx, cancel, err := limited(ctx, w, s)
	if err != nil {
		return 0, err
	}
	defer cancel()

	names := newNamer(w, s)
	var all []subject
	var troubles []error
	for _, source := range args {
		subjects, _, err := readSubjects(ctx, w, names, source, s.text("build"))
		if errors.As(err, new(usageError)) {
			return 0, err
		}
		if err != nil {
			troubles = append(troubles, err)
		}
		all = append(all, subjects...)
	}
	if printing {
		err = builds.Encode(w.stdout, buildsOf(all))
	} else if len(all) > 0 {
		settle(all, w.now)
		err = put(ctx, w, url, buildsOf(all))
	}
	return 0, errors.Join(append(troubles, err)...)
}

func buildsOf(subjects []subject) (list []detect.Build) {
	for i := range subjects {
		list = append(list, subjects[i].Build)
	}
	return list
}

// put records the builds and says how many of them are new.
func put(ctx context.Context, w *world, url string, list []detect.Build) error {
	st, err := store.Open(ctx, url)
	if err != nil {
		return err
	}
	defer st.Close()
	added, err := st.Record(ctx, list)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "%d builds read, %d new in %s\n", len(list), added, printable(url))
	return err
}
