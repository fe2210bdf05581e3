package command

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/compare"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/report"
)

// CompareOptions are what the compare command is asked to do.
type CompareOptions struct {
	A, B   string // sources, or names of builds in the store; A may be Usual
	Store  string
	Wanted fetch.Selector
	Given  ci.Identity
	Output OutputOptions
}

// Usual names, as A, a usual build of the base branch before B.
const Usual = "usual"

// Compare tells of two builds beside each other, and judges nothing.
func Compare(ctx context.Context, env *Env, o *CompareOptions) error {
	f, err := newFinder(ctx, env, o.Store, o.Given, o.Wanted)
	if err != nil {
		return err
	}
	defer f.store.Close()
	// What is said by how far back it is needs the other one.
	b, err := f.find(ctx, o.B, nil)
	if err != nil {
		return err
	}
	var a *timeline.Build
	if o.A == Usual {
		a, err = f.usual(ctx, b)
	} else {
		a, err = f.find(ctx, o.A, b)
	}
	if err != nil {
		return err
	}
	c := compare.Of(a, b)
	c.Notes = append(c.Notes, distinct(f.notes)...)
	return o.Output.render(env.Stdout, func(format report.Format, w io.Writer, to report.TextOptions) error {
		return format.WriteCompared(w, c, to)
	})
}

// usual is the build of the base branch, of the newest before b, that took the median time.
func (f *finder) usual(ctx context.Context, b *timeline.Build) (*timeline.Build, error) {
	branch, repository := f.names.Base(b)
	h, err := f.store.History(ctx, fetch.Query{Build: b, BaseBranch: branch, BaseRepository: repository, Window: detect.DefaultThresholds.Window, Enough: detect.DefaultThresholds.MinHistory})
	if err != nil {
		return nil, err
	}
	if len(h.Base) == 0 {
		return nil, noBuildError{Usual + " of " + branch + " before it", f.store.Name()}
	}
	slices.SortStableFunc(h.Base, func(x, y timeline.Build) int { return int(x.Duration - y.Duration) })
	f.notes = append(f.notes, detect.Note{Kind: detect.KindHistory, Text: fmt.Sprintf("there is the build of the median duration of %s of `%s` before it", report.Count(len(h.Base), "build"), branch)})
	return &h.Base[(len(h.Base)-1)/2], nil
}
