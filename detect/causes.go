package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Why a step is slower, and not only since when: what differs between the last build in
// which it took its usual time and the first slow one. A difference is a cause only if it
// can reach the step, and explains nothing if it is there in every build. A wrong "likely"
// costs more trust than none: what is not known for sure to be the only difference is
// possible at most.

// An Explanation is one cause of a finding.
type Explanation struct {
	Kind      Kind      `json:"kind"`
	Certainty Certainty `json:"certainty"`
	Text      string    `json:"text"`               // English, with names between backticks
	Before    string    `json:"before,omitempty"`   // what was, in the last build at the usual level
	After     string    `json:"after,omitempty"`    // what is
	Evidence  []string  `json:"evidence,omitempty"` // files, revisions and the like
}

// A Certainty says how sure a cause is.
type Certainty string

const (
	Is       Certainty = "is"       // it was measured
	Likely   Certainty = "likely"   // it is the only difference that can reach the step
	Possible Certainty = "possible" // it is one of several, or not all is known
)

// Kinds of explanations, besides KindMachineOverloaded and KindOtherMachine.
const (
	KindStepStarved     Kind = "step-starved"     // it did the same work, and waited for the machine
	KindStepThrottled   Kind = "step-throttled"   // by a quota
	KindStepMemory      Kind = "step-memory"      // it was short of memory
	KindMoreWork        Kind = "more-work"        // it used more processor time
	KindInstruction     Kind = "instruction"      // it was edited, or one that it is made from
	KindArgument        Kind = "argument"         // a build argument has another value
	KindEnvironment     Kind = "environment"      // a variable of its environment has
	KindBaseImage       Kind = "base-image"       // one that it is made from is another
	KindFile            Kind = "file"             // one that it reads changed
	KindLockFile        Kind = "lock-file"        // … that says what is installed
	KindMoreBytes       Kind = "more-bytes"       // it moved more
	KindSlowerTransfer  Kind = "slower-transfer"  // it moved as much as usual, more slowly
	KindExporter        Kind = "exporter"         // the result is written in another way
	KindCacheImport     Kind = "cache-import"     // other caches were to be read
	KindFrontend        Kind = "frontend"         // what reads the Dockerfile is another
	KindBuildWithin     Kind = "build-within"     // a build that it makes took longer
	KindNothingRecorded Kind = "nothing-recorded" // of what can reach it has changed
)

// Changed are the paths that differ between two revisions, from the root of the
// repository with slashes; known is false where that cannot be told.
type Changed func(before, after string) (files []string, known bool)

const maxCauses = 3 // that are told of one finding

// Explain fills in the causes of what was found in a build, which was judged against a
// history. It asks changed, which may be nil, for a few pairs of revisions.
func (r *Result) Explain(build *timeline.Build, history *History, changed Changed) {
	if build.Outcome != timeline.OK {
		return
	}
	history = history.orEmpty().likeWithLike(build, r.Thresholds)
	if changed == nil {
		changed = func(string, string) ([]string, bool) { return nil, false }
	}
	e := explainer{result: r, build: build, changed: changed, older: slices.Concat(history.Branch, history.Base), own: len(history.Branch)}
	if len(history.Branch) == 0 && build.PullRequest == "" && (build.Branch == history.BaseBranch || build.Branch == "") {
		e.own = len(history.Base) // builds of its own branch
	}
	for i := range build.Steps {
		s := &r.Steps[i]
		switch s.Status {
		case StatusSlower, StatusSuspect, StatusOverBudget:
			s.Causes, s.RuledOut = e.step(&build.Steps[i], s)
		}
	}
	for i := range r.Cache.Losses {
		l := &r.Cache.Losses[i]
		at := slices.IndexFunc(build.Steps, func(s timeline.Step) bool { return s.Key == l.Step })
		if at >= 0 {
			l.Causes = e.loss(&build.Steps[at], r.Cache.Cold)
		}
	}
	r.tellUntold(build)
}

// An explainer finds the causes of what was found in one build.
type explainer struct {
	result  *Result
	build   *timeline.Build
	changed Changed
	older   []timeline.Build // newest first: those of its branch, then those of the baseline
	own     int              // how many of them, from the first, are under suspicion themselves
	pairs   [][]string       // see changes
}

// MaxLookedBack is how many builds are looked at for the last one at the usual level.
const MaxLookedBack = 12

// between finds the first slow build and the last one at the usual level, with the step in
// that; nil where none is known that has facts.
func (e *explainer) between(s *timeline.Step, r *StepResult) (good, bad *timeline.Build, was *timeline.Step) {
	limit := max(r.High, r.Usual+r.Usual/10).D()
	bad = e.build
	run := true // of slow builds is not broken
	for i := range e.older[:min(len(e.older), MaxLookedBack+e.own)] {
		b := &e.older[i]
		old := stepIn(b, s, r.Was)
		if old == nil || old.State != timeline.Executed {
			continue
		}
		if old.Duration > limit {
			if run && i < e.own && b.Facts != nil {
				bad = b
			}
			continue
		}
		run = false
		if b.Facts != nil {
			return b, bad, old
		}
	}
	return nil, bad, nil
}

// stepIn finds a step in another build: of its key, or what it was before it was edited.
func stepIn(b *timeline.Build, s *timeline.Step, was string) *timeline.Step {
	var found *timeline.Step
	for i := range b.Steps {
		o := &b.Steps[i]
		if o.Key == s.Key || was != "" && o.Name == was {
			if found != nil && found.Key == o.Key {
				return nil // of equal ones nothing tells which
			}
			if found == nil || o.Key == s.Key {
				found = o
			}
		}
	}
	return found
}

// step finds the causes of a step that took longer, and says what was looked at.
func (e *explainer) step(s *timeline.Step, r *StepResult) (causes []Explanation, ruledOut []Note) {
	m := e.measured(s, r)
	good, bad, was := e.between(s, r)
	if good == nil || bad.Facts == nil {
		return m.rank(nil), append(ruledOut, Note{KindHistory, "no earlier build of the usual time says what it was made of"})
	}
	now := stepIn(bad, s, "")
	if now == nil {
		now, bad = s, e.build
	}
	d := e.differences(good, bad, was, now)
	ruledOut = append(ruledOut, Note{KindHistory, fmt.Sprintf("compared with build %s%s, the last of its usual time, and %s%s, the first slow one",
		quoted(good.ID), revisionOf(good), quoted(bad.ID), revisionOf(bad))})
	ruledOut = append(ruledOut, d.same...)
	e.filesMoved(&m, good, bad, now)
	if causes = m.rank(&d); len(causes) == 0 || causes[0].Kind == KindPhase {
		nothing := d.nothing(s, m.sameWork)
		if len(causes) == 0 {
			return []Explanation{nothing}, ruledOut
		}
		causes[0].Text += "; " + nothing.Text
	}
	return causes, ruledOut
}

// nothing says that nothing changed that is known to reach the step.
func (d *differences) nothing(s *timeline.Step, sameWork bool) Explanation {
	text := "nothing that the records hold has changed for this step"
	look := ": look at the network and at what it downloads"
	switch {
	case d.dirty:
		text += ", but for what was not committed"
	case !d.filesKnown && s.Count > 0:
		text, look = text+"; which files changed is not known", ""
		if len(d.reads) > 0 {
			text += " (it reads " + someOf(d.reads) + ")"
		}
	case sameWork:
		text += ", which used no more of the processor than usual"
	}
	return Explanation{Kind: KindNothingRecorded, Certainty: Possible, Text: text + look}
}

// A measurement is what the numbers of one slow step say. All but what it moved or waited for
// say what happened to the step, and not why it did.
type measurement struct {
	moved    []Explanation // and what a registry did
	printed  []Explanation // what the step says of one, which takes nothing from what is known
	machine  []Explanation // what the machine did to it
	work     *Explanation  // it had more to do
	phase    *Explanation  // where in the step that was
	sameWork bool          // it used no more of the processor than usual, and did not wait for it
	// worked and waited are by how many times the step took longer for reasons of its own,
	// and for waiting for a processor; 0 where that is not known.
	worked, waited float64
}

// rank puts together what was measured, and what differs, which is nil if that is not known.
func (m *measurement) rank(d *differences) (causes []Explanation) {
	var found []Explanation
	if d != nil {
		found = slices.Clone(d.found)
	}
	// That a step did more is no reason where something differs that may have given it more
	// to do: then it is said of that. So is where in the step its time went.
	more := m.work
	if more == nil && len(m.machine) == 0 {
		more = m.phase
	}
	switch {
	case more != nil && len(found) > 0:
		found[0].Text += " (" + more.Text + ")"
	case more == m.work && more != nil, more != nil && len(m.moved) == 0:
		found = []Explanation{*more}
	}
	ofItself := m.worked > m.waited && m.waited > 0 // it would be slow on any machine
	if len(found) > 1 || d != nil && !d.complete || len(m.moved) > 0 || len(m.machine) > 0 && !ofItself {
		for i := range found {
			if found[i].Certainty == Likely {
				found[i].Certainty = Possible // one of several
			}
		}
	}
	sure := 0
	for sure < len(m.moved) && isPossible(m.moved[sure]) == 0 {
		sure++
	}
	if ofItself && sure+len(found) > 0 {
		causes = slices.Concat(m.moved[:sure], found, m.moved[sure:])
		for _, x := range m.machine {
			x.Certainty = Possible
			causes = append(causes, x)
		}
	} else {
		causes = slices.Concat(m.moved[:sure], m.machine, found, m.moved[sure:])
	}
	causes = append(causes, m.printed...)
	causes = causes[:min(len(causes), maxCauses)]
	if slices.ContainsFunc(causes, func(x Explanation) bool { return x.Certainty == Is }) {
		for i := range causes {
			if causes[i].Certainty == Likely {
				causes[i].Certainty = Possible // beside what was measured
			}
		}
	}
	return causes
}

func isPossible(x Explanation) int {
	if x.Certainty == Possible {
		return 1
	}
	return 0
}

func revisionOf(b *timeline.Build) string {
	if b.Revision == "" {
		return ""
	}
	return " of " + quoted(b.Revision[:min(len(b.Revision), 10)])
}

// loss finds why the first step of a chain of lost caches ran; of a cold cache, which is no
// single step's, whether other caches were to be read.
func (e *explainer) loss(s *timeline.Step, cold bool) []Explanation {
	for i := range e.older[:min(len(e.older), MaxLookedBack)] {
		b := &e.older[i]
		was := stepIn(b, s, "")
		if b.Facts == nil || was == nil || was.State != timeline.Cached || e.build.Facts == nil {
			continue
		}
		d := differences{complete: true}
		if !cold {
			d = e.differences(b, e.build, was, s)
		}
		before, after := strings.Join(b.Facts.CacheIn, ", "), strings.Join(e.build.Facts.CacheIn, ", ")
		if before != after {
			d.add(Explanation{Kind: KindCacheImport, Text: "other caches were to be read than before", Before: before, After: after},
				e.often(func(x, y *timeline.Build) bool { return !slices.Equal(x.Facts.CacheIn, y.Facts.CacheIn) }))
		}
		if len(d.found) > 1 || !d.complete {
			for j := range d.found {
				d.found[j].Certainty = Possible
			}
		}
		return d.found[:min(len(d.found), maxCauses)]
	}
	return nil
}

// quoted is a name as texts have it, which strangers chose.
func quoted(name string) string {
	const most = 80
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return "`" + strings.ReplaceAll(name, "`", "'") + "`"
}

// someOf names the first few of what is read.
func someOf(list []string) string {
	const most = 3
	var names []string
	for _, read := range list[:min(len(list), most)] {
		if read == "/" {
			names = append(names, "all of the build context")
		} else {
			names = append(names, quoted(strings.TrimPrefix(read, "/")))
		}
	}
	text := strings.Join(names, ", ")
	if more := len(list) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
