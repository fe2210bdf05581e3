package builds

import (
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/boundjson"
)

// A reader makes builds of lines. What stands in many of them, as the names of steps do,
// it makes fit to be shown once, and the builds share it.
type reader struct {
	room  []step // of the line before
	texts memo[string]
	names memo[dockerfile.Name]
	// secrets are the values that a text says to be secret by their names.
	secrets memo[redact.Arguments]
}

// maxRoom is of how many steps a reader keeps the room.
const maxRoom = 1_000

// line makes a Build of a line.
func (r *reader) line(line []byte) (timeline.Build, error) {
	clear(r.room[:cap(r.room)]) // else what a step does not say would be what the one before said
	b := build{Steps: r.room[:0]}
	if err := boundjson.Unmarshal(line, &b); err != nil {
		return timeline.Build{}, err
	}
	if cap(b.Steps) <= maxRoom {
		r.room = b.Steps
	}
	return r.build(&b)
}

// clean makes text fit to be stored and shown.
func (r *reader) clean(text string) string {
	return r.texts.of(text, func(text string) string { return fetch.Clean(text, MaxName) })
}

// secretsOf are the values that the build of a line calls secret in one place, and may show in
// another.
func (r *reader) secretsOf(b *build) (secret redact.Arguments) {
	in := func(text string) {
		secret.AddAll(r.secrets.of(text, func(text string) (found redact.Arguments) {
			found.AddText(fetch.Cut(text, 4*MaxName))
			return found
		}))
	}
	for i := range b.Steps {
		in(b.Steps[i].Name)
		in(b.Steps[i].Text)
	}
	for _, line := range b.Log {
		secret.AddPrinted(fetch.Cut(line, 4*MaxName))
	}
	if b.Facts != nil {
		for _, a := range b.Facts.Args {
			secret.Add(a.Name, a.Value)
		}
	}
	return secret
}

// A memo remembers what was made of texts that are in many builds.
type memo[V any] map[string]V

// What a memo holds at most: some megabytes.
const (
	maxTexts = 10_000
	maxText  = 256 // bytes of one
)

// of is what is made of text, by now or before.
func (m *memo[V]) of(text string, made func(string) V) V {
	if v, known := (*m)[text]; known {
		return v
	}
	v := made(text)
	switch {
	case len(text) > maxText:
		return v
	case *m == nil:
		*m = memo[V]{}
	case len(*m) == maxTexts:
		clear(*m)
	}
	(*m)[text] = v
	return v
}
