package pipeline

import (
	"slices"

	"github.com/buildregress/buildregress/fetch/attribute"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A Root is by what the runs of a pipeline are found on a server.
type Root struct {
	Service string
	// The attributes of the root's span in which it says its pipeline and branch, and what
	// they hold; "" where it says nothing.
	PipelineKey, Pipeline string
	BranchKey, Branch     string
	// Whole tells that each span has its parent, but for the root itself, which may hang
	// below that of what started it.
	Whole bool
}

// RootOf is by what runs as that in a trace are found, nil if none is in it.
func RootOf(id string, spans []buildkit.Span) *Root {
	tree := newTree(id, spans)
	runs := tree.runs()
	if len(runs) == 0 {
		return nil
	}
	of := func(fact attribute.Fact) (key, value string) {
		for _, key := range attribute.Aliases[fact] {
			if value := attribute.First([]string{key}, runs[0].root.Own, runs[0].root.Shared); value != "" {
				return key, value
			}
		}
		return "", ""
	}
	r := &Root{Service: runs[0].root.Service, Whole: true}
	for _, top := range tree.tops {
		isRoot := slices.ContainsFunc(runs, func(r *run) bool { return r.root == top })
		r.Whole = r.Whole && (top.Parent == "" || isRoot)
	}
	if _, _, several := runs[0].multibranch(); !several { // else each branch has a name of its own
		r.PipelineKey, r.Pipeline = of(attribute.Pipeline)
	}
	r.BranchKey, r.Branch = of(attribute.Branch)
	return r
}

// Services are those that emitters always have. Receivers call themselves otherwise, often
// as the repository.
var Services = []string{"jenkins", "buildkite", "CircleCI Pipelines", "otel-cicd-action"}
