package detect

import (
	"regexp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// An edit is told of by what the author wrote before and after. The key of a step leaves
// out what changes by itself (versions, hashes), and a number may be all that was edited:
// so texts are compared, not keys. Where only the name of a step is known, a build
// argument may stand in it. What has changed often in the history is taken for that.

// editedFrom is the step as the history has it, if its author has changed it since: the
// newest one that is older than so many builds. It is nil if nobody has.
func (s *series) editedFrom(builds int) *timeline.Step {
	known := s.past[min(builds, len(s.past)):]
	for len(known) > 0 && known[0] == nil {
		known = known[1:]
	}
	if len(known) == 0 || s.ambiguous || !isEdit(known[0], s.step) {
		return nil
	}
	known = slices.DeleteFunc(slices.Clone(known), func(p *timeline.Step) bool { return p == nil })
	const (
		ofFile = 2 // a Dockerfile that is generated differs in more than one of two builds
		ofName = 5 // and an argument in more than one of five
		least  = 2 // changes that could have been, to know the kind of a number by the name
	)
	was, chances := known[0], len(known)-1
	usual := chances / ofName
	switch {
	case was.Source.Line > 0 && s.step.Source.Line > 0:
		usual = chances / ofFile
	case was.Key != s.step.Key:
	case chances < least:
		return nil
	case differByHashes(was, s.step):
		usual = 0
	}
	for i, newer := range known[:chances] {
		if isEdit(known[i+1], newer) {
			usual--
		}
		if usual < 0 {
			return nil
		}
	}
	return was
}

// isEdit tells whether what the author wrote differs, as far as it is known of both.
func isEdit(was, is *timeline.Step) bool {
	if was == is || was.Key == is.Key && was.Text == is.Text && (was.Name == is.Name || is.Text != "") {
		return false
	}
	if was.Key == is.Key && (was.Text == "") != (is.Text == "") {
		return false
	}
	return written(was) != written(is)
}

// written is what the author wrote, as far as it is known; of what is no instruction, the
// key alone tells that.
func written(s *timeline.Step) string {
	if s.Text != "" {
		return s.Text
	}
	name := dockerfile.ParseName(s.Name)
	text := strings.Join(strings.Fields(name.Text), " ")
	if !dockerfile.IsInstruction(text) || dockerfile.Key(s.Platform, s.Stage, text) != s.Key {
		_, text, _ = strings.Cut(s.Key, "] ")
		return text
	}
	if strings.HasPrefix(text, "FROM ") {
		text = resolved.ReplaceAllString(text, "") // by the builder
	}
	return text
}

var resolved = regexp.MustCompile(`@sha256:[0-9a-f]{64}`)

// differByHashes tells whether two texts differ by nothing but hashes and dates.
func differByHashes(a, b *timeline.Step) bool {
	return dockerfile.WithoutHashes(written(a)) == dockerfile.WithoutHashes(written(b))
}

// editNote tells of an edit, by both texts.
func editNote(was, is *timeline.Step) Note {
	before, after := excerpts(written(was), written(is))
	return Note{KindEdited, "edited: `" + before + "` became `" + after + "`"}
}

// excerpts are two texts that differ, cut to what is near where they begin to: reports
// would leave out the middle of more.
func excerpts(a, b string) (string, string) {
	const (
		most   = 58 // bytes that are shown
		before = 20 // of these, before the difference
	)
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	verb, _, _ := strings.Cut(a, " ")
	from, front := 0, ""
	if max(len(a), len(b)) > most && same > len(verb)+2*before {
		from, front = same-before, verb+" … "
		if space := strings.IndexByte(a[from:same], ' '); space >= 0 {
			from += space + 1
		}
	}
	cut := func(text string) string {
		rest := strings.ToValidUTF8(text[min(from, len(text)):], "")
		if end := most - len(front); len(rest) > end {
			rest = strings.ToValidUTF8(rest[:end], "") + "…"
		}
		return strings.ReplaceAll(front+rest, "`", "'") // which stand around it
	}
	return cut(a), cut(b)
}

// addEdits tells of the steps that were slow in several builds what was edited before the
// first of those: they are builds of the baseline, on the base branch.
func (r *Result) addEdits(a *arranged) {
	onBase := 0
	for _, b := range a.branch {
		if a.inBase(b) {
			onBase++
		}
	}
	for i := range a.series {
		s, step := &a.series[i], &r.Steps[i]
		earlier := min(step.Evidence.Builds-1, onBase)
		if s.was != nil || earlier < 1 {
			continue
		}
		if was := s.editedFrom(earlier); was != nil {
			step.Notes = append([]Note{editNote(was, s.step)}, step.Notes...)
		}
	}
}
