package buildkit

import (
	"cmp"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What a build writes at its end is a step each: the export, the push of it, and the
// export of its cache. No span is a push, nor the writing of a cache. They are told by
// the requests that change something in a registry: those below an exporter are its
// push, those below the call itself are of the cache. One in a folder of the client is
// told by the calls that write to it.

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
		step := timeline.Step{Start: n.Start, Duration: out.elapsed(n.Start, n.End, n.Name)}
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
	if s.root != nil {
		s.addCaches(r, out, exported, written[s.root])
	}
	return failed
}

// addCaches adds the steps of cache exports, given when the exporters were done and what
// the call itself wrote to a server.
func (s *solve) addCaches(r *Reader, out *steps, exported time.Time, toServer *writing) {
	toFolder := &writing{name: folderCacheName}
	for _, n := range s.work {
		if n.writesToClient() && n.callOfClient().caller() == s.root {
			toFolder.add(n)
		}
	}
	for _, w := range []*writing{toServer, toFolder} {
		if w == nil || !w.end.After(exported) {
			continue
		}
		// Before it writes, it gathers what to write, which no span shows. It
		// begins when the exporters are done.
		if !exported.IsZero() {
			w.start = exported
		}
		step := timeline.Step{Start: w.start, Duration: out.elapsed(w.start, w.end, w.name)}
		if w.failed != nil && !w.whole {
			step.State, step.Error = failure(cmp.Or(w.failed.Message, w.failed.Name+" failed"))
		}
		out.add(r.info(w.name), cacheExportID, step)
	}
}

// A writing is what was written to one place in one go: from the first question
// whether something is there to the last answer.
type writing struct {
	name       string // of the cache exporter, if it is one
	repo       string // in a registry
	start, end time.Time
	failed     *node // a request that changes something and failed, nil if none did
	whole      bool  // what is written last was
}

// add takes in a request.
func (w *writing) add(n *node) {
	if w.start.IsZero() || n.Start.Before(w.start) {
		w.start = n.Start
	}
	end := n.End
	if n.writesToClient() && n.Failed && isCancellation(n.Message) {
		end = n.Start
	}
	last := end.After(w.end)
	if last {
		w.end = end
	}
	switch {
	case n.Method != "" && !n.writes(), n.Failed && isCancellation(n.Message):
	case n.Failed:
		w.failed = n
		w.whole = w.whole && w.repo != ""
	case w.repo == "" && last, strings.Contains(n.URL, "/manifests/"):
		w.whole = true
	}
}

// writings finds what was written to servers, by the span for whose work it
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
			found[at.of] = &writing{name: r.cacheName(), repo: at.repo}
		}
	}
	for _, r := range s.work {
		at := target{r.caller(), r.repo()}
		if r.writes() || r.Method == "HEAD" && written[at] {
			found[at.of].add(r)
		}
	}
	return found
}

// cacheName is the name of the cache exporter that makes a request.
func (n *node) cacheName() string {
	if strings.Contains(n.URL, "/twirp/github.actions.results.") || strings.Contains(n.URL, "/_apis/artifactcache/") {
		return githubCacheName
	}
	return cacheExportName
}

// writesToClient tells whether a span is a side of the daemon's writing to a folder of the
// client.
func (n *node) writesToClient() bool {
	return n.Name == "containerd.services.content.v1.Content/Write"
}

// callOfClient is the daemon's side of a call to the client, which ends, cancelled, when all
// is done that the build does: only the client's tells when this was.
func (n *node) callOfClient() *node {
	if n.Kind == KindServer && n.parent != nil {
		return n.parent
	}
	return n
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
