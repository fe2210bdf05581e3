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
	wanted, err := wantedBy(s)
	if err != nil {
		return 0, err
	}
	url, err := storeOf(s, "store")
	if err != nil {
		return 0, err
	}
	names := newNamer(w, s)
	if err := names.askGithub(ctx, w); err != nil {
		w.say("warning", err.Error())
	}
	var all []subject
	var troubles []error
	for _, source := range args {
		var subjects []subject
		from, err := openOrigin(ctx, w, s, source, nil)
		if err == nil {
			subjects, _, err = readSubjects(ctx, w, names, from, wanted)
		}
		if errors.As(err, new(usageError)) {
			return 0, err
		}
		if err != nil {
			troubles = append(troubles, err)
		}
		all = append(all, subjects...)
	}
	if printing {
		for i := range all {
			names.complete(&all[i].Build)
		}
		err = builds.Encode(w.stdout, buildsOf(all))
	} else if len(all) > 0 {
		settle(all, names)
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
	nowhere := 0
	for i := range list {
		if list[i].Branch == "" && list[i].PullRequest == "" {
			nowhere++
		}
	}
	if nowhere > 0 {
		w.say("warning", fmt.Sprintf("nothing says the branch of %s: counted as builds of the base branch (--branch says another)", count(nowhere, "build")))
	}
	st, err := store.Open(ctx, url)
	if err != nil {
		return err
	}
	defer st.Close()
	sum, err := st.Record(ctx, list)
	for _, clash := range sum.Clashes {
		w.say("warning", clash.Error())
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "%s read, %d new in %s\n", count(len(list), "build"), sum.Added, printable(url))
	return err
}
