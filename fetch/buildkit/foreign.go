package buildkit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/fetch"
)

// Traces hold the spans of any program, and spans of any program may be called as
// BuildKit's are: "exporting to pdf" is no export of a build. A trace is BuildKit's
// only by a call to build, by a vertex, or by the service that made a span.

// services are what BuildKit, its clients, and the Docker Engine around it call
// themselves where OTEL_SERVICE_NAME does not say otherwise.
var services = []string{"buildkitd", "buildx", "buildctl", "dockerd"}

// isDigest tells the digest of a vertex from what else is called a vertex.
func isDigest(value string) bool {
	algorithm, digits, _ := strings.Cut(value, ":")
	return strings.HasPrefix(algorithm, "sha") && digits != "" && strings.Trim(digits, "0123456789abcdef") == ""
}

// ownServices are the programs in a trace that build: those of BuildKit, and those
// that it is seen to be by its calls and vertices. A span that tells no service is
// theirs if there are any calls or vertices.
func ownServices(list []*node) map[string]bool {
	own := map[string]bool{}
	for _, name := range services {
		own[name] = true
	}
	for _, n := range list {
		if n.Vertex != "" || n.Name == solveMethod {
			own[n.Service], own[""] = true, true
		}
	}
	return own
}

// Builders are the programs in spans that build, by their services: what they do is no
// step of a pipeline, but inside of one.
func Builders(spans []Span) map[string]bool {
	own := map[string]bool{}
	for _, name := range services {
		own[name] = true
	}
	for i := range spans {
		if s := &spans[i]; s.Service != "" && (s.Vertex != "" || s.Name == solveMethod) {
			own[s.Service] = true
		}
	}
	return own
}

// isForeign tells whether nothing in a trace is of BuildKit.
func isForeign(list []*node) bool {
	return !slices.ContainsFunc(list, func(n *node) bool {
		return n.Vertex != "" || n.Name == solveMethod || slices.Contains(services, n.Service)
	})
}

// isClosed tells whether a trace has the parents of all of its spans, so that none of
// those that are there is yet to end.
func isClosed(list []*node) bool {
	for _, n := range list {
		if n.parent == nil && n.Parent != "" {
			return false
		}
	}
	return len(list) > 0
}

// A NoBuildError tells of spans that are no build: whose they are.
type NoBuildError struct{ What string }

func (e *NoBuildError) Error() string { return e.What + "; no BuildKit build in it" }
func (e *NoBuildError) Unwrap() error { return fetch.ErrNoBuilds }

// NoBuild says whose the spans are in which no build was found. One that arrived
// twice is one.
func NoBuild(spans []Span) *NoBuildError {
	const shown = 3
	perService, roots := map[string]int{}, map[string]int{}
	type id struct{ trace, span string }
	ids := make(map[id]bool, len(spans))
	for i := range spans {
		ids[id{spans[i].Trace, spans[i].ID}] = true
	}
	counted := make(map[id]bool, len(ids))
	for i := range spans {
		s := &spans[i]
		if own := (id{s.Trace, s.ID}); !counted[own] {
			counted[own] = true
			perService[s.Service]++
			if !ids[id{s.Trace, s.Parent}] {
				roots[s.Name]++
			}
		}
	}
	what := fmt.Sprintf("%d spans", len(ids))
	if len(ids) == 1 {
		what = "1 span"
	}
	if list := mostFrequent(perService, shown); list != "" {
		what += " by service " + list
	}
	if list := mostFrequent(roots, shown); list != "" {
		what += ", root " + list
	}
	return &NoBuildError{what}
}

// quoted is a name from a trace fit for a message.
func quoted(name string) string {
	const longest = 80 // bytes
	return "`" + strings.ReplaceAll(fetch.Clean(name, longest), "`", "'") + "`"
}

// mostFrequent lists the names that occur most, and how many others there are.
func mostFrequent(names map[string]int, most int) string {
	delete(names, "")
	list := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(names[b], names[a]), cmp.Compare(a, b))
	})
	more := len(list) - most
	list = list[:min(most, len(list))]
	for i := range list {
		list[i] = quoted(list[i])
	}
	text := strings.Join(list, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
