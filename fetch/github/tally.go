package github

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/buildregress/buildregress/detect"
)

// A tally counts what became of the artifacts that were to be read.
type tally struct {
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
	shelf    error
}

// cut notes that a budget was spent. err may be nil.
func (t *tally) cut(err error) {
	if err != nil && t.ended == nil {
		t.ended = err
	}
}

// count counts a result. One that was never asked for is unread.
func (t *tally) count(r result) {
	switch {
	case r.err == nil && r.builds != nil:
	case r.err == nil:
		t.unread++
	case errors.Is(r.err, errExpired):
		t.expired++
	case errors.Is(r.err, errTooLarge):
		t.tooLarge++
	case errors.Is(r.err, errNoRecord):
		t.noRecord++
	case spent(r.err):
		t.unread++
		t.cut(r.err)
	default:
		t.failed++
		if t.failure == nil {
			t.failure = r.err
		}
	}
}

// notes say what of the history could not be had.
func (t *tally) notes(branch string) (notes []detect.Note) {
	note := func(text string) { notes = append(notes, detect.Note{Kind: detect.KindHistory, Text: text}) }
	switch {
	case t.ended != nil:
	case t.runs == 0:
		note(fmt.Sprintf("GitHub knows no successful run of the workflow on %s yet", branch))
	case t.none:
		note(fmt.Sprintf("no build record is among the artifacts of the newest %d successful runs on %s: their names end in .dockerbuild, or begin with buildregress", t.runs, branch))
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{t.expired, "expired"},
		{t.tooLarge, errTooLarge.Error()},
		{t.noRecord, errNoRecord.Error()},
		{t.failed, "could not be had"},
		{t.left, fmt.Sprintf("beyond the first %d, or %d of a branch's own", maxArtifacts, maxOwn)},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) > 0 {
		text := cmp.Or(t.what, "artifacts") + " left out: " + strings.Join(parts, ", ")
		if t.failure != nil {
			text += fmt.Sprintf(" (%v)", t.failure)
		}
		note(text)
	}
	if t.ended != nil {
		why := "the time for it was over"
		var limit *LimitError
		if errors.As(t.ended, &limit) {
			why = limit.Error()
		}
		if t.unread > 0 {
			why += fmt.Sprintf(" (%d %s not read)", t.unread, cmp.Or(t.what, "artifacts"))
		}
		note("the history is smaller than it could be: " + why)
	}
	if t.shelf != nil {
		note(fmt.Sprintf("what was fetched is fetched again: %v", t.shelf))
	}
	return notes
}

// A progress tells when enough of the base's artifacts were read. They are read
// several at a time; what counts is how far they were read without a gap, and runs
// as a whole, so that the same ones are taken whichever comes first.
type progress struct {
	mu     sync.Mutex
	ended  []bool
	found  []int            // builds in each
	isLast func(i int) bool // of its run
	next   int              // the first that is not read yet
	first  int              // of the base's
	sum    int
	enough int
	full   bool
}

func newProgress(n, first, enough int, isLast func(i int) bool) *progress {
	return &progress{ended: make([]bool, n), found: make([]int, n), first: first, enough: enough, isLast: isLast}
}

// done notes that the i-th was read, with so many builds, and tells whether all
// that are needed were.
func (p *progress) done(i, builds int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended[i], p.found[i] = true, builds
	for ; p.next < len(p.ended) && p.ended[p.next]; p.next++ {
		if p.next >= p.first {
			p.sum += p.found[p.next]
			p.full = p.full || p.sum >= p.enough && p.isLast(p.next)
		}
	}
	return p.full
}
