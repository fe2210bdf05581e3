package buildkit

import (
	"strings"
	"time"
)

// A trace may hold several builds, as a bake's does. Each is a call of Control/Solve.
// Its work is what is below the call, and what is below the span that made the call,
// where that made one only: the frontend's calls stand beside it. What is below
// neither belongs to the one build in whose time it began.

const (
	solveMethod = "moby.buildkit.v1.Control/Solve"
	maxSolves   = 1000 // of one trace; a bake has some ten
)

// A solve is one build in a trace: the span of its Control/Solve call, and the
// spans of what was done for it.
type solve struct {
	root   *node // nil if the trace has no such span
	client *node // the client's side of root, nil if it is not there
	// owner is the span that made the call. The calls of the frontend are
	// below it, beside the solve, not under it.
	owner  *node
	work   []*node // vertices, exporters and HTTP requests, in order of their start
	target string  // that bake gave it
	alone  bool    // it is all of its trace: no other one may have done what it waited for
	// ended is when the build was done. What the daemon does for its own history
	// after that lasts as long as the call, and no other source counts it.
	ended time.Time
}

// solves finds the builds of one trace, and gives each its work.
func solves(list []*node) []*solve {
	for _, n := range list {
		n.seen, n.solve = false, nil // it may have been asked before
	}
	found := roots(list)
	if len(found) == 0 {
		// Client and daemon may sample on their own: the work is all there is.
		found = []*solve{{}}
	}
	own := ownServices(list)
	byRoot := make(map[*node]*solve, 2*len(found))
	byOwner := make(map[*node][]*solve, len(found))
	for _, s := range found {
		if s.root == nil {
			continue
		}
		byRoot[s.root] = s
		if s.client != nil {
			byRoot[s.client] = s
		}
		if s.owner != nil {
			byOwner[s.owner] = append(byOwner[s.owner], s)
		}
	}
	for _, n := range list {
		if s := byRoot[n.parent]; s != nil && n.Name == "create history record" {
			s.ended = n.Start
		}
		if k := kindOf(n.Name); n.Vertex == "" && (!own[n.Service] || n.Method == "" && k != export && k != cacheExport && !n.unpacks() && !n.resolves() && !n.writesToClient()) {
			continue
		}
		s := solveOf(n, byRoot, byOwner)
		if s == nil {
			s = solveAt(n, found)
		}
		if s != nil {
			s.work = append(s.work, n)
		}
	}
	kept := found[:0]
	for _, s := range found {
		if s.isBuild() {
			kept = append(kept, s)
		}
	}
	return kept
}

// isBuild tells a build from a call that only asks what the daemon can do.
func (s *solve) isBuild() bool {
	for _, n := range s.work {
		if k := kindOf(n.Name); n.Vertex != "" || n.Method == "" && (k == export || k == cacheExport) {
			return true
		}
	}
	return s.root != nil && s.failure() != nil
}

// failure is the side of the call that says that it failed, nil if none does.
func (s *solve) failure() *node {
	for _, n := range []*node{s.root, s.client} {
		if n != nil && (n.Failed || n.Code != 0) {
			return n
		}
	}
	return nil
}

// roots finds the calls that are builds: the daemon's side of each, or where
// only clients are traced, theirs.
func roots(list []*node) []*solve {
	var found []*solve
	for _, kind := range []Kind{KindServer, KindClient, KindInternal, KindUnknown} {
		for _, n := range list {
			if n.Name != solveMethod || n.Kind != kind || asksCapabilities(n) {
				continue
			}
			if len(found) == maxSolves {
				return found
			}
			s := &solve{root: n, owner: n.parent, ended: n.End}
			if p := n.parent; p != nil && p.Name == solveMethod {
				s.client, s.owner = p, p.parent
			}
			s.target = targetAbove(s.owner)
			found = append(found, s)
		}
		if len(found) > 0 {
			break
		}
	}
	return found
}

func asksCapabilities(n *node) bool {
	for n := range n.ancestors() {
		if n.Name == "load buildkit capabilities" {
			return true
		}
	}
	return false
}

// targetAbove is the target that bake builds in the call of owner, where it
// builds several: it makes a span for each, between its own and "build".
func targetAbove(owner *node) string {
	if owner == nil {
		return ""
	}
	below := owner
	for n := range owner.ancestors() {
		if below.Name != "build" && (n.Name == "bake" || strings.HasPrefix(n.Name, "bake ")) {
			return below.Name
		}
		below = n
	}
	return ""
}

// solveOf finds the solve that a span was made for by walking up from it.
func solveOf(n *node, byRoot map[*node]*solve, byOwner map[*node][]*solve) *solve {
	var path []*node
	var s *solve
	for at := n.parent; at != nil; at = at.parent {
		if at.seen {
			s = at.solve
			break
		}
		path = append(path, at)
		if found := byRoot[at]; found != nil {
			s = found
			break
		}
		if owned := byOwner[at]; len(owned) == 1 {
			s = owned[0]
			break
		}
	}
	for _, at := range path {
		at.seen, at.solve = true, s
	}
	return s
}

// solveAt is the one solve in whose time a span began, nil if there are several.
func solveAt(n *node, all []*solve) *solve {
	if len(all) == 1 {
		return all[0]
	}
	// The frontend is called a little before the solve is traced, or by a
	// client whose clock is a little off.
	const slack = 100 * time.Millisecond
	var one *solve
	for _, s := range all {
		if s.root == nil || n.Start.Before(s.root.Start.Add(-slack)) || n.Start.After(s.root.End) {
			continue
		}
		if one != nil {
			return nil
		}
		one = s
	}
	return one
}
