// Package compare lays two builds beside each other: what the difference of their durations
// consists of, and what else is different. Two builds prove nothing, and nothing is judged.
package compare

import (
	"cmp"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/align"
	"github.com/buildregress/buildregress/detect/describe"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A Comparison is two builds, told beside each other. It is written as JSON.
type Comparison struct {
	SchemaVersion int                   `json:"schema_version"`
	A             *describe.Description `json:"a"`
	B             *describe.Description `json:"b"`
	Delta         timeline.Seconds      `json:"delta_seconds"` // by how much longer B took, below 0 if shorter
	// Between is the part of Delta between steps; the rest is that of the steps. The parts
	// sum to Delta exactly, unless Told is false: then a source does not say when steps
	// began, and there are none.
	Between timeline.Seconds `json:"between_seconds"`
	Told    bool             `json:"told"`
	Steps   []Step           `json:"steps"`   // largest part of Delta first
	Changes []Change         `json:"changes"` // what else is different
	Notes   []detect.Note    `json:"notes"`
}

// A Step is a step in both builds, or in one of them.
type Step struct {
	A         int              `json:"a"` // index in the steps of A, -1 where it is not in it
	B         int              `json:"b"`
	Edited    bool             `json:"edited"`             // its instruction is another one in B
	Delta     timeline.Seconds `json:"delta_seconds"`      // by how much longer it took, what was cached or absent counting as it took
	WallClock timeline.Seconds `json:"wall_clock_seconds"` // by how much more of it was on the critical path
}

// A Change is something that both builds say, each differently.
type Change struct {
	Kind   string `json:"kind"` // the name of its field: revision, branch, runner, …
	Before string `json:"before"`
	After  string `json:"after"`
}

// Of tells of two builds. It changes neither.
func Of(a, b *timeline.Build) *Comparison {
	c := &Comparison{SchemaVersion: detect.SchemaVersion, A: describe.Of(a), B: describe.Of(b), Steps: []Step{}, Notes: []detect.Note{}}
	c.Delta = c.B.Build.Duration - c.A.Build.Duration
	alignment := align.Align([]timeline.Build{*a}, nil)
	at := map[*align.Track]int{}
	for i, t := range alignment.Base[0].Tracks {
		at[t] = i
	}
	taken := map[int]bool{}
	tracks, _ := alignment.TracksOf(b)
	for k, t := range tracks {
		s := Step{A: -1, B: k}
		for o := t; o != nil; o = o.Older {
			if i, ok := at[o]; ok && !taken[i] {
				s.A, s.Edited, taken[i] = i, o != t, true
				break
			}
		}
		c.Steps = append(c.Steps, s)
	}
	for i := range a.Steps {
		if !taken[i] {
			c.Steps = append(c.Steps, Step{A: i, B: -1})
		}
	}
	pathA, betweenA := onPath(c.A)
	pathB, betweenB := onPath(c.B)
	c.Told = len(c.A.Path) > 0 && len(c.B.Path) > 0
	for i := range c.Steps {
		s := &c.Steps[i]
		if s.A >= 0 {
			s.Delta -= c.A.Steps[s.A].Duration
			s.WallClock -= pathA[s.A]
		}
		if s.B >= 0 {
			s.Delta += c.B.Steps[s.B].Duration
			s.WallClock += pathB[s.B]
		}
		if !c.Told {
			s.WallClock = 0
		}
	}
	if c.Told {
		c.Between = betweenB - betweenA
	}
	slices.SortStableFunc(c.Steps, func(x, y Step) int {
		return cmp.Or(cmp.Compare(max(y.WallClock, -y.WallClock), max(x.WallClock, -x.WallClock)), cmp.Compare(max(y.Delta, -y.Delta), max(x.Delta, -x.Delta)))
	})
	c.Changes = changesOf(a, b)
	return c
}

// changesOf is what else is different, as far as both builds say it.
func changesOf(a, b *timeline.Build) []Change {
	changes := []Change{}
	all := []Change{
		{"pipeline", a.Pipeline, b.Pipeline},
		{"repository", a.Repository, b.Repository},
		{"revision", a.Revision, b.Revision},
		{"branch", a.Branch, b.Branch},
		{"pull_request", a.PullRequest, b.PullRequest},
		{"runner", a.Runner, b.Runner},
		{"outcome", a.Outcome.String(), b.Outcome.String()},
	}
	if x, y := a.Machine, b.Machine; timeline.OtherMachine(x, y) {
		all = append(all, Change{"machine", timeline.Hardware(x.CPUs, x.Memory), timeline.Hardware(y.CPUs, y.Memory)})
	}
	if x, y := a.Facts, b.Facts; x != nil && y != nil {
		all = append(all, Change{"frontend", x.Frontend, y.Frontend}, Change{"exporter", x.Exporter, y.Exporter})
		if x.Builder != nil && y.Builder != nil {
			all = append(all, Change{"buildkit", x.Builder.BuildKit, y.Builder.BuildKit}, Change{"buildx", x.Builder.Buildx, y.Builder.Buildx})
		}
		all = append(all, argChanges(x, y)...)
		for i := range x.Sources {
			s := &x.Sources[i]
			if other := y.Artifact(s.Name); other != nil && s.Digest != "" && other.Digest != "" {
				all = append(all, Change{"source", named(s.Name, s.Digest, other.Digest), named(s.Name, other.Digest, s.Digest)})
			}
		}
	}
	for _, change := range all {
		if change.Before != change.After {
			changes = append(changes, change)
		}
	}
	return changes
}

// argChanges are build arguments that both have, of which it is known that they differ: a
// value that is not to be shown is told by its name.
func argChanges(a, b *timeline.Facts) (changes []Change) {
	for _, x := range a.Args {
		at := slices.IndexFunc(b.Args, func(y timeline.BuildArg) bool { return y.Name == x.Name })
		if at < 0 {
			continue
		}
		y := b.Args[at]
		switch {
		case x.Value != "" && y.Value != "" && x.Value != y.Value:
			changes = append(changes, Change{"argument", x.Name + "=" + x.Value, x.Name + "=" + y.Value})
		case (x.Value == "" || y.Value == "") && x.Hash != y.Hash && x.Hash != "" && y.Hash != "":
			changes = append(changes, Change{"argument", x.Name, x.Name + " (another value)"})
		}
	}
	return changes
}

// named is a source with its digest, where it has another one elsewhere.
func named(name, digest, other string) string {
	if digest == other {
		return name
	}
	return name + " " + digest
}

// onPath is what each step adds to the critical path, and what lies between them.
func onPath(d *describe.Description) (steps []timeline.Seconds, between timeline.Seconds) {
	steps = make([]timeline.Seconds, len(d.Steps))
	for _, p := range d.Path {
		if p.Step < 0 {
			between += p.Seconds
		} else {
			steps[p.Step] += p.Seconds
		}
	}
	return steps, between
}
