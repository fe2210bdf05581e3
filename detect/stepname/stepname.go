// Package stepname finds the steps that people mean by what they write: a name that stands
// in a report is one that they paste, into a rule or into --explain. What it means is
// decided here, for all of them alike.
package stepname

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/glob"
)

// A Name is all that a step is called.
type Name struct{ Key, Name string }

// waitPrefix begins the keys of what other steps waited for: their names hold those of what
// waited.
const waitPrefix = "[wait] "

// Find returns the indices of the steps that somebody means by a glob, or by a name out of
// a report, in order. A key or a name may be whole or without its "[platform stage] " in
// front, cut with a "…", or as a report had to write it; numbers that a key leaves out may
// be those of another build. A text that is none of these may be a part of one: it means
// that step if it stands in no other.
func Find(said string, steps []Name) []int {
	said = folded(said)
	all := make([]forms, len(steps))
	for i := range steps {
		all[i] = formsOf(&steps[i])
	}
	for _, meant := range []func(said string) matcher{isName, isForm, isCut, isLike, isOfKey} {
		for _, text := range unfenced(said) {
			if found := matching(all, meant(text)); len(found) > 0 {
				return found
			}
		}
	}
	part := strings.Trim(said, "`")
	if part == "" {
		return nil
	}
	parts := matching(all, func(key, form string) bool {
		return strings.Contains(form, part) && !strings.HasPrefix(key, waitPrefix)
	})
	if len(parts) == 0 {
		parts = matching(all, func(_, form string) bool { return strings.Contains(form, part) })
	}
	for _, i := range parts {
		if steps[i].Key != steps[parts[0]].Key {
			return nil
		}
	}
	return parts
}

// forms are all the ways in which reports write a step, its key first.
type forms []string

func formsOf(s *Name) forms {
	key, name := folded(s.Key), folded(s.Name)
	return forms{key, name, folded(dockerfile.Shown(s.Name)), withoutPlace(key), withoutPlace(name)}
}

// A matcher tells whether a form of a step that has the key is what somebody wrote.
type matcher func(key, form string) bool

// matching are the indices of the steps of which a form is.
func matching(all []forms, is matcher) (found []int) {
	for i, f := range all {
		if slices.ContainsFunc(f, func(form string) bool { return is(f[0], form) }) {
			found = append(found, i)
		}
	}
	return found
}

// isName is what is said, but for a key: that may be of several steps.
func isName(said string) matcher {
	return func(key, form string) bool { return form == said && form != key }
}

func isForm(said string) matcher {
	return func(_, form string) bool { return form == said }
}

// isCut is what reports make of a name, with what they left out for each "…".
func isCut(said string) matcher {
	pieces := strings.Split(plain(said), "…")
	first, last := pieces[0], pieces[len(pieces)-1]
	return func(_, form string) bool {
		text := plain(form)
		switch {
		case strings.Join(pieces, "") == "":
			return false
		case len(pieces) == 1:
			return text == first
		case len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last):
			return false
		}
		text = text[len(first) : len(text)-len(last)]
		for _, piece := range pieces[1 : len(pieces)-1] {
			_, after, found := strings.Cut(text, piece)
			if !found {
				return false
			}
			text = after
		}
		return true
	}
}

func isLike(said string) matcher {
	pattern := glob.Pattern(strings.ReplaceAll(said, "…", "*"))
	return func(_, form string) bool { return pattern.Match(form) }
}

// isOfKey is a name whose numbers are those of another build.
func isOfKey(said string) matcher {
	name := dockerfile.ParseName(said)
	whole := dockerfile.Key(name.Platform, name.Stage, name.Text)
	text := withoutPlace(dockerfile.Key("", "", name.Text))
	return func(key, form string) bool {
		return form == key && (key == whole || name.Platform+name.Stage == "" && withoutPlace(key) == text)
	}
}

// Keys are those of the steps that Find means, each once.
func Keys(said string, steps []Name) (keys []string) {
	for _, i := range Find(said, steps) {
		keys = appendNew(keys, steps[i].Key)
	}
	return keys
}

// withoutPlace is a key or a name without the "[platform stage] " in front.
func withoutPlace(text string) string {
	if _, instruction, found := strings.Cut(text, "] "); found && strings.HasPrefix(text, "[") {
		return instruction
	}
	return text
}

func folded(text string) string { return strings.Join(strings.Fields(text), " ") }

// unfenced is a text, and what it is without one or more of the backticks at both ends:
// reports put as many there as the name itself asks for.
func unfenced(text string) (texts []string) {
	const most = 5
	for len(texts) < most && text != "" {
		texts = append(texts, text)
		inner, begins := strings.CutPrefix(text, "`")
		inner, ends := strings.CutSuffix(inner, "`")
		if !begins || !ends {
			break
		}
		text = strings.TrimSpace(inner)
	}
	return texts
}

// Sequences are what a terminal obeys: colours and titles that tools print. Reports leave
// them out.
var Sequences = regexp.MustCompile(`\x1b(?:\[[0-9;:?<=>!]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])`)

// plain is a text without what reports put into a name or take out of one: spaces, what a
// terminal obeys, marks, and backslashes that escape. What is invisible is replaced as there.
func plain(text string) string {
	if strings.Contains(text, "\x1b") {
		text = Sequences.ReplaceAllString(text, "")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsMark(r), r == '\\':
			return -1
		case !unicode.IsPrint(r), r == '\u115F', r == '\u1160', r == '\u3164', r == '\uFFA0': // the last are letters that fill
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Nearest are the steps whose names are most like a text that means none, the
// most like first: at most so many.
func Nearest(said string, steps []Name, most int) (names []string) {
	words := strings.Fields(strings.ToLower(said))
	likeness := func(name string) (n int) {
		name = strings.ToLower(name)
		for _, word := range words {
			if strings.Contains(name, strings.Trim(word, "*?`")) {
				n += len(word)
			}
		}
		return n
	}
	for _, s := range steps {
		names = appendNew(names, cmp.Or(dockerfile.Shown(s.Name), s.Key))
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(likeness(b), likeness(a)) })
	return names[:min(len(names), most)]
}

func appendNew(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}
