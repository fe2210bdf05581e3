package github

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/buildregress/buildregress/detect"
)

// readStats count what became of the artifacts that were to be read.
type readStats struct {
	what     string // they are, if not artifacts
	runs     int    // of the base branch
	none     bool   // none of them has an artifact that may be a record
	expired  int
	tooLarge int
	noRecord int
	failed   int
	unread   int   // when the budget was spent
	left     int   // over the bound
	failure  error // the first of those that failed
	ended    error // what spent the budget
	cache    error // why it does not help
}

// cut notes that a budget was spent. err may be nil.
func (stats *readStats) cut(err error) {
	if err != nil && stats.ended == nil {
		stats.ended = err
	}
}

// count counts a result. One that was never asked for is unread.
func (stats *readStats) count(r result) {
	switch {
	case r.err == nil && r.builds != nil:
	case r.err == nil:
		stats.unread++
	case errors.Is(r.err, errExpired):
		stats.expired++
	case errors.Is(r.err, errTooLarge):
		stats.tooLarge++
	case errors.Is(r.err, errNoRecord):
		stats.noRecord++
	case isExhausted(r.err):
		stats.unread++
		stats.cut(r.err)
	default:
		stats.failed++
		if stats.failure == nil {
			stats.failure = r.err
		}
	}
}

// notes say what of the history could not be had.
func (stats *readStats) notes(branch string) (notes []detect.Note) {
	note := func(text string) { notes = append(notes, detect.Note{Kind: detect.KindHistory, Text: text}) }
	switch {
	case stats.ended != nil:
	case stats.runs == 0:
		note(fmt.Sprintf("GitHub knows no run of the workflow on %s that is over yet", branch))
	case stats.none:
		note(fmt.Sprintf("no build record is among the artifacts of the newest %d runs on %s: their names end in .dockerbuild, or begin with buildregress", stats.runs, branch))
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{stats.expired, "expired"},
		{stats.tooLarge, errTooLarge.Error()},
		{stats.noRecord, errNoRecord.Error()},
		{stats.failed, "could not be had"},
		{stats.left, fmt.Sprintf("beyond the first %d, or %d of a branch's own", maxArtifacts, maxOwn)},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) > 0 {
		text := cmp.Or(stats.what, "artifacts") + " left out: " + strings.Join(parts, ", ")
		if stats.failure != nil {
			text += fmt.Sprintf(" (%v)", stats.failure)
		}
		note(text)
	}
	if stats.ended != nil {
		why := "the time for it was over"
		if limit, ok := errors.AsType[*LimitError](stats.ended); ok {
			why = limit.Error()
		}
		if stats.unread > 0 {
			why += fmt.Sprintf(" (%d %s not read)", stats.unread, cmp.Or(stats.what, "artifacts"))
		}
		note("the history is smaller than it could be: " + why)
	}
	if stats.cache != nil {
		note(fmt.Sprintf("what was fetched is fetched again: %v", stats.cache))
	}
	return notes
}
