// Package stepname finds the steps that people mean by what they write: a name that stands
// in a report is one that they paste, into a rule or into --explain. What it means is
// decided here, for all of them alike.
package stepname

import (
	"cmp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/glob"
)

// A Name is all that a step is called.
type Name struct{ Key, Name string }

// waitPrefix begins the keys of what other steps waited for.
const waitPrefix = "[wait] "

// Find returns the keys of the steps that somebody means by a glob, or by a name
// out of a report, in order; each once. A key or a name may be whole or without its
// "[platform stage] " in front. A text that matches none whole may be a part of one: it
// means that step if it stands in no other.
func Find(said string, steps []Name) (keys []string) {
	said = strings.Trim(strings.Join(strings.Fields(said), " "), "`")
	if said == "" {
		return nil
	}
	pattern := glob.Pattern(strings.ReplaceAll(said, "…", "*")) // of a name that was cut
	var parts, waits []string
	for _, s := range steps {
		forms := s.forms()
		switch {
		case slices.ContainsFunc(forms, pattern.Match):
			keys = appendNew(keys, s.Key)
		case !slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(form, said) }):
		case strings.HasPrefix(s.Key, waitPrefix): // its name holds that of what waited
			waits = appendNew(waits, s.Key)
		default:
			parts = appendNew(parts, s.Key)
		}
	}
	if len(parts) == 0 {
		parts = waits
	}
	if len(keys) == 0 && len(parts) == 1 {
		return parts
	}
	return keys
}

// forms are all the ways in which reports write a step.
func (s Name) forms() []string {
	forms := []string{s.Key, strings.Join(strings.Fields(s.Name), " "), dockerfile.Shown(s.Name)}
	for _, text := range forms[:2] {
		if _, instruction, found := strings.Cut(text, "] "); found {
			forms = append(forms, instruction)
		}
	}
	return forms
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
