package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A NoBuildError says why no build is in some spans, and what to do about it.
type NoBuildError struct {
	*buildkit.NoBuildError
	why, advice string
	// Rootless tells that jobs of a run are there and its root is not.
	Rootless bool
}

func (e *NoBuildError) Error() string {
	if e.why == "" {
		return e.NoBuildError.Error() + ", and no run of a pipeline"
	}
	return e.What + "; " + e.why
}

// Unwrap is fetch.ErrNoBuilds.
func (e *NoBuildError) Unwrap() error { return fetch.ErrNoBuilds }

// Hint is what to do about it.
func (e *NoBuildError) Hint() string { return e.advice }

const adviseAny = "if its root is the run of a pipeline, and what is below that its steps, --trace-as pipeline reads it so"

// NoBuild says of spans in which no build was found whose they are, and why none was.
func NoBuild(spans []buildkit.Span) *NoBuildError {
	e := &NoBuildError{NoBuildError: buildkit.NoBuild(spans), advice: adviseAny}
	if len(spans) == 0 {
		return e
	}
	t := newTree(spans[0].Trace, spans)
	if slices.ContainsFunc(spans, func(s buildkit.Span) bool { return s.Service != "" && t.builders[s.Service] }) {
		e.why = "no BuildKit build in it" // what came is a part of one
		e.advice = fetch.ErrNoBuilds.(interface{ Hint() string }).Hint()
		return e
	}
	if reason := refusalOf(t); reason != "" {
		e.why, e.advice = reason, "the builds within its steps can be judged, if they trace by themselves"
		return e
	}
	if runs := t.runs(); len(runs) > 0 {
		e.why = fmt.Sprintf("it is the run `%s`, by %s, and no step of it is there", clean(runs[0].root.Name), runs[0].name)
		e.advice = "the spans of its jobs may come later, be of another trace, or all have been skipped; --job may name none"
		return e
	}
	if job, of := t.rootless(); job != nil {
		e.Rootless = true
		e.why = fmt.Sprintf("`%s` is of a run of %s, and the run's own span, %s, has not come", clean(job.Name), of.name, clean(job.Parent))
		e.advice = of.ends
		if e.advice == "" {
			e.advice = "it is sent when the run ends: check after that"
		}
	}
	return e
}

// rootless is a job whose run has not come, nil if there is none or a run is there.
func (t *tree) rootless() (*span, *emitter) {
	if len(t.runs()) > 0 {
		return nil, nil
	}
	for _, top := range t.tops {
		if top.Parent == "" || t.builders[top.Service] || top.Vertex != "" {
			continue
		}
		if e := t.emitterOf(top); e != nil && !e.anybody {
			return top, e
		} else if e != nil && e.isMarked(top.Own) {
			return top, e
		}
	}
	return nil, nil
}

// refusalOf is why a trace cannot be read that is known, "" if none is.
func refusalOf(t *tree) string {
	for _, top := range t.tops {
		for _, known := range refusals {
			if slices.Contains(known.services, top.Service) || known.names != nil && known.names.MatchString(top.Name) && strings.Contains(top.Service+top.Scope, "Run") {
				return known.reason
			}
			if known.names != nil && known.names.MatchString(top.Name) && strings.Contains(strings.ToLower(top.Service+top.Scope), "pipeline") {
				return known.reason
			}
		}
	}
	return ""
}
