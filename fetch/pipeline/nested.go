package pipeline

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// adopt tells the builds that BuildKit made below a run's jobs what the run says of itself:
// each is of the pipeline "PIPELINE / JOB", so that two jobs' builds are not compared with
// each other. A build that says its pipeline keeps it. id is that of the run's build, "" if
// it has none, and steps are the keys of its steps by their spans.
func (r *run) adopt(nested []timeline.Build, id string, steps map[*span]string) {
	for i := range nested {
		b := &nested[i]
		s := r.tree.spans[strings.TrimPrefix(b.ID, r.tree.id+"-")]
		if key := r.stepAround(s, steps); key != "" && id != "" {
			b.Within = &timeline.Within{Build: id, Step: key}
		}
		path, ok := r.jobOf(s)
		if !ok {
			continue
		}
		b.Fill(r.origin())
		if len(path) > 0 {
			fetch.NamePipeline(b, fetch.Clean(r.pipeline()+" / "+strings.Join(path, " / "), buildkit.MaxName))
		} else {
			fetch.NamePipeline(b, r.pipeline())
		}
		b.Image = ""
	}
}

// stepAround is the key of the step that a span is below; of one below a job itself, as of a
// build that was given the job's TRACEPARENT, that of the job's step at that time. "" is none.
func (r *run) stepAround(s *span, steps map[*span]string) string {
	if s == nil {
		return ""
	}
	above := s
	for depth := 0; above != nil && depth < deepest; above, depth = above.parent, depth+1 {
		if key := steps[above]; key != "" {
			return key
		}
		if above != s && r.isOwn(above) {
			break
		}
	}
	if above == nil {
		return ""
	}
	const clocks = 2 * time.Second // by which two may differ
	key, shortest := "", time.Duration(math.MaxInt64)
	for _, kid := range above.kids {
		took := kid.End.Sub(kid.Start)
		if steps[kid] != "" && took < shortest && !r.isQueue(kid) && !s.Start.Before(kid.Start.Add(-clocks)) && !s.End.After(kid.End.Add(clocks)) {
			key, shortest = steps[kid], took
		}
	}
	return key
}

// jobOf is the path of the job that a span is below, without the step of it. ok is false
// for what is not below the run, or says another pipeline by itself.
func (r *run) jobOf(s *span) (path []string, ok bool) {
	w := &walk{run: r}
	var own []*span
	for depth := 0; s != nil && depth < deepest; s, depth = s.parent, depth+1 {
		if s == r.root {
			slices.Reverse(own)
			for i, level := range own {
				isLeaf := i == len(own)-1 && !slices.ContainsFunc(level.kids, r.isOwn)
				if !r.isDropped(level) && (!isLeaf || len(path) == 0) {
					path = append(path, w.label(level, nil))
				}
			}
			return path, true
		}
		if r.isOwn(s) {
			own = append(own, s)
		} else if name := s.Resource["cicd.pipeline.name"]; name != "" && name != r.pipeline() && len(own) == 0 {
			return nil, false
		}
	}
	return nil, false
}
