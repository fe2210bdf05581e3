// Package buildtest says what holds for every Build that a reader returns,
// whatever it was given to read, and finds the recordings that readers are tested on.
package buildtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/google/go-cmp/cmp"
)

// MaxText is the longest name or message that a reader may return, in bytes.
const MaxText = 4 << 10

// Check returns what is wrong with b, nil if nothing is.
func Check(b *timeline.Build) error { return errors.Join(checkFields(b), checkRoundTrip(b)) }

// checkRoundTrip checks that a builds file loses nothing of b.
func checkRoundTrip(b *timeline.Build) error {
	var text bytes.Buffer
	if err := builds.Encode(&text, []timeline.Build{*b}); err != nil {
		return err
	}
	back, err := builds.Decode(&text, "builds")
	if err != nil {
		return err
	}
	if diff := cmp.Diff([]timeline.Build{*b}, back); diff != "" {
		return fmt.Errorf("a builds file changes it (-before +after):\n%s", diff)
	}
	return nil
}

func checkFields(b *timeline.Build) error {
	var wrong []error
	bad := func(format string, values ...any) {
		if len(wrong) < 10 {
			wrong = append(wrong, fmt.Errorf(format, values...))
		}
	}
	text := func(what string, values ...string) {
		for _, v := range values {
			if !utf8.ValidString(v) {
				bad("%s is no UTF-8: %.80q", what, v)
			}
			if len(v) > MaxText {
				bad("%s has %d bytes", what, len(v))
			}
		}
	}
	if b.ID == "" {
		bad("no id")
	}
	if b.Duration < 0 || b.Resolution < 0 {
		bad("duration %v, resolution %v", b.Duration, b.Resolution)
	}
	if b.Outcome < timeline.OK || b.Outcome > timeline.Cancelled {
		bad("outcome %v", b.Outcome)
	}
	text("build", b.ID, b.Trace, b.Content, b.Pipeline, b.Image, b.Target, b.Repository, b.Revision, b.Branch, b.PullRequest, b.URL, b.Runner, b.Error)
	text("log", b.Log...)
	ids := map[string]bool{}
	for i, s := range b.Steps {
		if s.ID != "" && ids[s.ID] {
			bad("step %d: id %s again", i, s.ID)
		}
		ids[s.ID] = true
		if s.Key == "" {
			bad("step %d: key %q", i, s.Key)
		}
		if s.Duration < 0 || s.Bytes < 0 || s.Index < 0 || s.Count < 0 || s.Source.Line < 0 || s.Rule < 0 || s.Rule > b.Reader {
			bad("step %d: a number less than none: %+v", i, s)
		}
		if s.State < timeline.Executed || s.State > timeline.Interrupted {
			bad("step %d: state %v", i, s.State)
		}
		text("step", s.Body, s.Text, s.ID, s.Key, s.Name, s.Platform, s.Stage, s.Source.File, s.Error)
		text("input", s.Inputs...)
	}
	if b.Machine != nil && !b.Machine.Plausible() {
		bad("machine %+v", b.Machine)
	}
	for i := range b.Steps {
		if u := b.Steps[i].Usage; u != nil && !u.Plausible() {
			bad("step %d: usage %+v", i, u)
		}
	}
	const most = 8 << 10
	if facts, err := json.Marshal(b.Facts); err != nil || len(facts) > most {
		bad("%d bytes of facts: %v", len(facts), err)
	}
	return errors.Join(wrong...)
}
