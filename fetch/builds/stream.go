package builds

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What Stream hands over at once.
const (
	streamedBuilds  = 200
	streamedEntries = 10_000 // see Entries
)

// Stream reads the builds in r as Decode does, however many they are, and hands them over
// some hundreds at a time, in their order. An error of each ends it and is returned alone;
// those with lines are joined as problems.
func Stream(r io.Reader, name string, each func([]timeline.Build) error) (problems, err error) {
	var list []timeline.Build
	entries := 0
	hand := func() error {
		if len(list) == 0 {
			return nil
		}
		err = each(list)
		list, entries = nil, 0 // who got them may keep them
		return err
	}
	problems = scan(r, name, func(b timeline.Build) error {
		entries += Entries(&b)
		list = append(list, b)
		if len(list) < streamedBuilds && entries < streamedEntries {
			return nil
		}
		return hand()
	})
	if err != nil {
		return nil, err
	}
	return problems, hand()
}

// A Survey is what a quick look at a builds file tells.
type Survey struct {
	Builds int       // lines that may be builds
	Newest time.Time // start of the newest of them, zero if unknown
}

// Look takes a quick look at all of r. It decodes no steps.
func Look(ctx context.Context, r io.Reader) (s Survey, err error) {
	lines := newLines(r)
	for ctx.Err() == nil {
		line, err := lines.next()
		if errors.Is(err, io.EOF) || lines.broken {
			return s, nil // what is wrong with it, reading it tells
		}
		s.Builds++
		var b struct {
			Start time.Time `json:"start"`
		}
		if err := json.Unmarshal(line, &b); err == nil && checkTime(b.Start) == nil && b.Start.After(s.Newest) {
			s.Newest = b.Start
		}
	}
	return s, ctx.Err()
}

// IsLine tells whether text, the beginning of a file, begins with a build's line.
func IsLine(text []byte) bool {
	for line := range bytes.Lines(text) {
		if isBlank(line) {
			continue
		}
		var b struct {
			Steps []json.RawMessage `json:"steps"`
		}
		if json.Unmarshal(line, &b) != nil || b.Steps == nil {
			return false
		}
		_, err := decodeLine(line)
		return err == nil
	}
	return false
}
