package pipeline

import (
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// adopt tells the builds that BuildKit made below a run's jobs what the run says of itself:
// each is of the pipeline "PIPELINE / JOB", so that two jobs' builds are not compared with
// each other. A build that says its pipeline keeps it.
func (r *run) adopt(nested []detect.Build) {
	for i := range nested {
		b := &nested[i]
		s := r.tree.spans[strings.TrimPrefix(b.ID, r.tree.id+"-")]
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
