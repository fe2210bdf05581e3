package buildkit

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/fetch"
)

// Whether a vertex that failed, or whose end is not told, is the end of its build. It
// is not where the build went on without it: where its result was used, or where the
// exporter, which comes last, ran through. Builders ignore errors of what turns out
// not to be needed, and logs lose lines.

// lostEnd is the error of a step that has ended, at a time that is not known.
const lostEnd = "its end is missing in the log"

// lostPart is the error of a step whose parts are not all known.
const lostPart = "a message on it is damaged in the log"

// Damaged takes in a message that could not be read: whatever it was about may have
// ended by it.
func (p *Progress) Damaged(message []byte) {
	const most = 20 // messages: each is searched for each vertex
	if len(p.damaged) < most {
		p.damaged = append(p.damaged, fetch.Cut(string(message), 2*MaxName))
	}
}

// An endings tells which of the vertices of a build are not the end of it.
type endings struct {
	damaged  []string
	astray   bool            // one of them names no vertex that is known
	used     map[string]bool // digests whose result went into one that was executed
	exported time.Time       // start of the last export that ran through; zero if none did
}

// endingsOf looks at the vertices of one build, whose names begin with prefix. Of a
// build on several nodes each exports for itself, which tells nothing of the others.
func (p *Progress) endingsOf(vertices []*vertex, prefix string) endings {
	e := endings{damaged: p.damaged, astray: p.hasAstray(), used: map[string]bool{}}
	definitions := 0
	for _, v := range vertices {
		if v.cached || v.err != "" || v.running() || v.ended.IsZero() {
			continue
		}
		for _, digest := range v.inputs {
			e.used[digest] = true
		}
		name := v.nameFor(prefix)
		if strings.HasPrefix(name, beginDefinition) {
			definitions++
		}
		if kindOf(name) == export && v.started.After(e.exported) {
			e.exported = v.started
		}
	}
	if definitions > 1 {
		e.exported = time.Time{}
	}
	return e
}

// ignored tells whether the build went on after the error of v.
func (e endings) ignored(v *vertex) bool {
	return !v.failedAt.IsZero() && !e.exported.Before(v.failedAt)
}

// lost tells whether v, of which no end is told, has ended nevertheless.
func (e endings) lost(v *vertex, k kind) bool {
	if e.used[v.digest] || e.isDamaged(v) {
		return true
	}
	return k != export && k != cacheExport && !e.exported.IsZero() && !v.open.After(e.exported)
}

// lostBy is when v, whose end is lost, had ended at the latest.
func (e endings) lostBy(v *vertex, last time.Time) time.Time {
	if v.open.After(e.exported) {
		return last
	}
	return e.exported
}

// hasAstray tells whether a message that could not be read names no vertex that is
// known: it may have been about any.
func (p *Progress) hasAstray() bool {
	return slices.ContainsFunc(p.damaged, func(message string) bool {
		return !slices.ContainsFunc(digestInText.FindAllString(message, MaxLogLines), p.Has)
	})
}

var digestInText = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// doubtful tells whether a part of what v did may be missing, whose time is taken off
// that of v.
func (e endings) doubtful(v *vertex, k kind) bool {
	if len(e.damaged) == 0 || !v.parts && k != export {
		return false
	}
	return e.astray || e.isDamaged(v)
}

// isDamaged tells whether a message on v could not be read.
func (e endings) isDamaged(v *vertex) bool {
	if len(e.damaged) == 0 || v.name == "" {
		return false
	}
	name := `"` + v.name + `"`
	if quoted, err := json.Marshal(v.name); err == nil {
		name = string(quoted)
	}
	for _, message := range e.damaged {
		if strings.Contains(message, v.digest) || strings.Contains(message, name) || strings.Contains(message, `"`+v.name+`"`) {
			return true
		}
	}
	return false
}
