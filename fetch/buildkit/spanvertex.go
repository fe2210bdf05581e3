package buildkit

import (
	"cmp"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// A spanVertex is a vertex as a trace shows it: the spans of it, and of the layers that
// were moved and unpacked for it. That goes on after its own spans have ended.
type spanVertex struct {
	best      *node // says most of it
	spans     []*node
	requested bool // it was asked for its key: it has no inputs
	moved     intervals
	unpacked  intervals
	bytes     map[string]int64 // by address
}

// addVertices adds a step for each vertex, and returns the span of the one at
// which the build failed, nil if none did.
func (s *solve) addVertices(r *Reader, out *steps) *node {
	found := map[string]*spanVertex{}
	var order []string
	downloaded := map[string]int64{} // bytes, by address
	for _, n := range s.work {
		if n.Method == "GET" && n.Bytes > 0 {
			downloaded[n.URL] = max(downloaded[n.URL], n.Bytes)
		}
		digest := n.Vertex
		if digest == "" && (n.unpacks() || n.fetches()) {
			digest = n.vertexAbove()
		}
		if digest == "" {
			continue
		}
		v := found[digest]
		if v == nil {
			v = &spanVertex{}
			found[digest] = v
			order = append(order, digest)
		}
		v.add(n)
	}
	var failed *node
	for _, digest := range order[:min(len(order), MaxVertices)] {
		v := found[digest]
		if v.best == nil {
			continue // it is another build's
		}
		if f := v.addTo(r, out, digest, downloaded); f != nil && (failed == nil || isCancellation(failed.Message)) {
			failed = f
		}
	}
	s.addMetadata(r, out)
	return failed
}

// add takes in a span.
func (v *spanVertex) add(n *node) {
	switch {
	case n.Vertex == "" && n.unpacks():
		v.unpacked.add(n.Start, n.End)
	case n.Vertex == "":
		v.moved.add(n.Start, n.End)
		if v.bytes == nil {
			v.bytes = map[string]int64{}
		}
		v.bytes[n.URL] = max(v.bytes[n.URL], n.Bytes)
	default:
		v.spans = append(v.spans, n)
		if v.best == nil || isBetter(n, v.best) {
			v.best = n
		}
		_, rank := vertexName(n.Name)
		v.requested = v.requested || rank == rankRequested
	}
}

// addTo adds the step, and those that are parts of it, and returns its span if the build
// failed at it. The request of a download is not below the vertex: its address tells it.
func (v *spanVertex) addTo(r *Reader, out *steps, digest string, downloaded map[string]int64) (failed *node) {
	n := v.best
	name, rank := vertexName(n.Name)
	info := r.info(name)
	w := workOf(&info, !v.requested, rank == rankLoaded)
	step := timeline.Step{Start: n.Start, Duration: out.elapsed(n.Start, n.End, name)}
	times := v.intervals(w, rank)
	if len(times) > 0 {
		step.Start, step.Duration = times.time()
	}
	switch {
	case n.Failed:
		step.State, step.Error = failure(cmp.Or(n.Message, "failed"))
		if info.kind.fails() {
			failed = n
		}
	case rank == rankLoaded, rules[w].layers && len(v.moved)+len(v.unpacked) == 0 && unmoved(step.Duration):
		step.State = timeline.Cached
	}
	if step.State != timeline.Cached {
		out.addContent(info, digest)
	}
	for _, n := range v.bytes {
		step.Bytes += max(0, n)
	}
	if w == httpSource && step.State == timeline.Executed {
		step.Bytes = downloaded[bareURL(cmp.Or(firstAddress(strings.TrimPrefix(info.parsed.Text, "ADD ")), info.parsed.Text))]
	}
	id := out.add(info, shortID(digest), step).ID
	out.apart(id, times)
	if rules[w].layers && !n.Failed {
		out.addLayers(&info, v.moved, v.unpacked, step.Bytes)
	}
	return failed
}

// intervals are those that count as the time of the vertex: of what runs once, those in
// which it did.
func (v *spanVertex) intervals(w work, rank int) (list intervals) {
	for _, n := range v.spans {
		_, own := vertexName(n.Name)
		if rules[w].attempts || own == rank && n.Failed == v.best.Failed {
			list.add(n.Start, n.End)
		}
	}
	if rules[w].attempts {
		for _, in := range append(v.moved, v.unpacked...) {
			list.add(in.start, in.end)
		}
	}
	return list
}

// addMetadata adds the resolving of tags, which is no vertex in a trace.
func (s *solve) addMetadata(r *Reader, out *steps) {
	found := map[string]intervals{}
	var order []string
	for _, n := range s.work {
		image, ok := strings.CutPrefix(n.Name, resolvePrefix)
		if !ok || !n.resolves() || n.vertexAbove() != "" {
			continue
		}
		if _, known := found[image]; !known {
			order = append(order, image)
		}
		times := found[image]
		times.add(n.Start, n.End)
		found[image] = times
	}
	for _, image := range order[:min(len(order), MaxVertices)] {
		start, took := found[image].time()
		info := r.info("[internal] load metadata for " + fetch.Cut(image, MaxName))
		out.add(info, "metadata-"+shortID(image), timeline.Step{Start: start, Duration: took})
	}
}

const resolvePrefix = "resolving "

// resolves, unpacks and fetches tell spans that are no vertex: of the resolving of a tag,
// of the unpacking of a layer, and of the fetching of one.
func (n *node) resolves() bool {
	return n.Vertex == "" && n.Method == "" && strings.HasPrefix(n.Name, resolvePrefix) && kindOf(n.Name) != clientOnly
}
func (n *node) unpacks() bool { return n.Vertex == "" && n.Method == "" && n.Name == "extract" }
func (n *node) fetches() bool { return n.Method == "GET" && strings.Contains(n.URL, "/blobs/") }

// vertexAbove is the vertex that a span was made for, "" if it was made for none.
func (n *node) vertexAbove() string {
	for at := range n.ancestors() {
		if at.Vertex != "" {
			return at.Vertex
		}
	}
	return ""
}

// isBetter tells whether a says more about its vertex than b; of equals, the one that
// ended last does.
func isBetter(a, b *node) bool {
	_, x := vertexName(a.Name)
	_, y := vertexName(b.Name)
	if x != y {
		return x > y
	}
	return !a.End.Before(b.End)
}
