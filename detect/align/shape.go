package align

import "github.com/buildregress/buildregress/detect/timeline"

// Most builds of a history consist of the same steps in the same order. Builds that do
// share one shape, and what follows from their steps alone (stages, tracks, series) is
// worked out once a shape, not once a build.

// A Shape is the steps that a build has and how they stand: most builds of a
// history have that of the one before, and their steps are on the same tracks.
type Shape struct {
	build     *timeline.Build  // the first one seen of it
	equals    bool             // steps share a key: what tells them apart counts as well
	stages    map[string][]int // see stagesOf
	Tracks    []*Track
	oldest    int                // age of the oldest build that has it
	ambiguous map[int]EqualGroup // see alignment.identify
	indices   []int              // see IndicesIn
}

// Step is step number i, as the newest build of the shape has it.
func (s *Shape) Step(i int) *timeline.Step { return &s.build.Steps[i] }

// shapeOf returns the shape that the build has, which may be a new one.
func (a *Alignment) shapeOf(build *timeline.Build) *Shape {
	const most = 16 // shapes looked at, as builds may all differ
	for i := len(a.shapes) - 1; i >= max(0, len(a.shapes)-most); i-- {
		if a.shapes[i].is(build) {
			return a.shapes[i]
		}
	}
	own := *build // what is beside it in a list need not be kept
	s := &Shape{build: &own, stages: stagesOf(build)}
	known := make(map[TrackID]bool, len(build.Steps))
	for i := range build.Steps {
		id := IDOf(&build.Steps[i])
		s.equals = s.equals || known[id]
		known[id] = true
	}
	a.shapes = append(a.shapes, s)
	return s
}

// is tells whether the build has the shape.
func (s *Shape) is(build *timeline.Build) bool { return alike(s.build, build, s.equals) }

// alike tells whether two builds have one shape; if strictly, even where steps share a
// key.
func alike(a, b *timeline.Build, strictly bool) bool {
	if len(a.Steps) != len(b.Steps) {
		return false
	}
	for i := range a.Steps {
		x, y := &a.Steps[i], &b.Steps[i]
		if x.Key != y.Key || x.Index != y.Index || x.Count != y.Count || x.Stage != y.Stage || x.Platform != y.Platform || x.Rule != y.Rule ||
			strictly && (x.Name != y.Name || x.Body != y.Body || x.Source.Line != y.Source.Line) {
			return false
		}
		// Their equals may be in other builds: then it is the number of an unnamed stage
		// that tells which they are.
		if x.Name != y.Name && stageNumber(x) != stageNumber(y) {
			return false
		}
	}
	return true
}

// IndicesIn returns for each step the index that its track has, -1 for none.
func (s *Shape) IndicesIn(at map[*Track]int) []int {
	if s.indices == nil {
		s.indices = make([]int, len(s.Tracks))
		for i, t := range s.Tracks {
			if index, ok := at[t]; ok {
				s.indices[i] = index
			} else {
				s.indices[i] = -1
			}
		}
	}
	return s.indices
}
