package buildkit

import (
	"cmp"
	"time"

	"github.com/buildregress/buildregress/detect"
)

// What a build writes at its end is a step each: the export, the push of it, and the
// export of its cache. No span is a push, nor the writing of a cache. They are told by
// the requests that change something in a registry: those below an exporter are its
// push, those below the call itself are of the cache.

// addExports adds the steps of the exporters, of pushes and of a cache export,
// and returns the span of an exporter that failed, nil if none did.
func (s *solve) addExports(r *Reader, out *steps) *node {
	var failed *node
	var exported time.Time // end of the last exporter
	written := s.writings()
	for _, n := range s.work {
		if k := kindOf(n.Name); n.Vertex != "" || n.Method != "" || k != export && k != cacheExport {
			continue
		}
		info := r.info(n.Name)
		step := detect.Step{Start: n.Start, Duration: out.elapsed(n.Start, n.End, n.Name)}
		if n.Failed {
			step.State, step.Error = failure(cmp.Or(n.Message, "failed"))
			if info.kind.fails() {
				failed = n
			}
		}
		if info.kind == cacheExport {
			out.add(info, cacheExportID, step)
			written[s.root] = nil // it is what wrote it
			continue
		}
		out.add(info, exportStage, step)
		if w := written[n]; w != nil {
			out.addPush(w.repo, intervals{{w.start, w.end}})
		}
		if n.End.After(exported) {
			exported = n.End
		}
	}
	if w := written[s.root]; s.root != nil && w != nil && w.end.After(exported) {
		// Before it writes, it gathers what to write, which no span shows. It
		// begins when the exporters are done.
		if !exported.IsZero() {
			w.start = exported
		}
		out.add(r.info(cacheExportName), cacheExportID, detect.Step{
			Start: w.start, Duration: out.elapsed(w.start, w.end, cacheExportName),
		})
	}
	return failed
}

// A writing is what was written to a registry in one go: from the first question
// whether a blob is there to the last answer.
type writing struct {
	repo       string
	start, end time.Time
}

// writings finds what was written to registries, by the span for whose work it
// was directly written: an exporter, or the solve itself.
func (s *solve) writings() map[*node]*writing {
	type target struct {
		of   *node
		repo string
	}
	written := map[target]bool{}
	found := map[*node]*writing{}
	for _, r := range s.work {
		if !r.writes() {
			continue
		}
		at := target{r.caller(), r.repo()}
		written[at] = true
		if found[at.of] == nil {
			found[at.of] = &writing{repo: at.repo}
		}
	}
	for _, r := range s.work {
		at := target{r.caller(), r.repo()}
		if !r.writes() && (r.Method != "HEAD" || !written[at]) {
			continue
		}
		w := found[at.of]
		if w.start.IsZero() {
			w.start = r.Start
		}
		if r.End.After(w.end) {
			w.end = r.End
		}
	}
	return found
}

// caller is the nearest span above an HTTP request that is none itself.
func (n *node) caller() *node {
	for at := range n.ancestors() {
		if at.Method == "" {
			return at
		}
	}
	return nil
}
