package detect

import (
	"cmp"
	"slices"
)

// Two builds beside each other: what the difference of their durations consists of, and
// what else is different. Two builds prove nothing, and nothing is judged.

// A Comparison is two builds, told beside each other. It is written as JSON.
type Comparison struct {
	SchemaVersion int          `json:"schema_version"`
	A             *Description `json:"a"`
	B             *Description `json:"b"`
	Delta         Seconds      `json:"delta_seconds"` // by how much longer B took, below 0 if shorter
	// Between is the part of Delta between steps; the rest is that of the steps. The parts
	// sum to Delta exactly, unless Told is false: then a source does not say when steps
	// began, and there are none.
	Between Seconds        `json:"between_seconds"`
	Told    bool           `json:"told"`
	Steps   []ComparedStep `json:"steps"`   // largest part of Delta first
	Changes []Change       `json:"changes"` // what else is different
	Notes   []Note         `json:"notes"`
}

// A ComparedStep is a step in both builds, or in one of them.
type ComparedStep struct {
	A         int     `json:"a"` // index in the steps of A, -1 where it is not in it
	B         int     `json:"b"`
	Edited    bool    `json:"edited"`             // its instruction is another one in B
	Delta     Seconds `json:"delta_seconds"`      // by how much longer it took, what was cached or absent counting as it took
	WallClock Seconds `json:"wall_clock_seconds"` // by how much more of it was on the critical path
}

// A Change is something that both builds say, each differently.
type Change struct {
	Kind   string `json:"kind"` // the name of its field: revision, branch, runner, …
	Before string `json:"before"`
	After  string `json:"after"`
}

// Compare tells of two builds. It changes neither.
func Compare(a, b *Build) *Comparison {
	c := &Comparison{SchemaVersion: SchemaVersion, A: Describe(a), B: Describe(b), Steps: []ComparedStep{}, Changes: []Change{}, Notes: []Note{}}
	c.Delta = c.B.Build.Duration - c.A.Build.Duration
	alignment := align([]Build{*a}, nil)
	at := map[*track]int{}
	for i, t := range alignment.base[0].tracks {
		at[t] = i
	}
	taken := map[int]bool{}
	tracks, _ := alignment.tracksOf(b)
	for k, t := range tracks {
		s := ComparedStep{A: -1, B: k}
		for o := t; o != nil; o = o.older {
			if i, ok := at[o]; ok && !taken[i] {
				s.A, s.Edited, taken[i] = i, o != t, true
				break
			}
		}
		c.Steps = append(c.Steps, s)
	}
	for i := range a.Steps {
		if !taken[i] {
			c.Steps = append(c.Steps, ComparedStep{A: i, B: -1})
		}
	}
	pathA, betweenA := c.A.onPath()
	pathB, betweenB := c.B.onPath()
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
	slices.SortStableFunc(c.Steps, func(x, y ComparedStep) int {
		return cmp.Or(cmp.Compare(max(y.WallClock, -y.WallClock), max(x.WallClock, -x.WallClock)), cmp.Compare(max(y.Delta, -y.Delta), max(x.Delta, -x.Delta)))
	})
	for _, f := range []Change{
		{"pipeline", a.Pipeline, b.Pipeline},
		{"repository", a.Repository, b.Repository},
		{"revision", a.Revision, b.Revision},
		{"branch", a.Branch, b.Branch},
		{"pull_request", a.PullRequest, b.PullRequest},
		{"runner", a.Runner, b.Runner},
		{"outcome", a.Outcome.String(), b.Outcome.String()},
	} {
		if f.Before != f.After {
			c.Changes = append(c.Changes, f)
		}
	}
	return c
}

// onPath is what each step adds to the critical path, and what lies between them.
func (d *Description) onPath() (steps []Seconds, between Seconds) {
	steps = make([]Seconds, len(d.Steps))
	for _, p := range d.Path {
		if p.Step < 0 {
			between += p.Seconds
		} else {
			steps[p.Step] += p.Seconds
		}
	}
	return steps, between
}
