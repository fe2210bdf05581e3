package buildkit

import "strings"

// A State tells how much of a trace has arrived. Tracers send a span when it has
// ended.
type State int

const (
	Open    State = iota // no build in it has ended
	Ended                // one has, and the trace may lack spans of the daemon
	Whole                // the daemon tells of the end, too: its spans are sent in order
	Foreign              // all spans have their parents, and none of them is of BuildKit
)

// State tells how much of a trace there is: it has ended once there is the
// command that the client ran, or where no client is traced, a call to build.
func (t *Trace) State() State {
	if isForeign(t.nodes) && isClosed(t.nodes) {
		return Foreign
	}
	command, called, clients, servers := false, false, 0, 0
	for _, n := range t.nodes {
		if n.Vertex == "" && n.parent == nil && isCommand(n) {
			command = true
		}
		if n.Name != solveMethod || asksCapabilities(n) {
			continue
		}
		called = true
		switch n.Kind {
		case KindServer:
			servers++
		case KindClient:
			clients++
		}
	}
	switch {
	case !command && (!called || hasCommandPending(t.nodes)):
		return Open
	case servers > 0 && servers >= clients:
		return Whole
	}
	return Ended
}

// isCommand tells whether a span without a parent is a whole run of a client. Its
// parent may be unknown because another program made it. A span "build" of buildx
// is but a part of its run, which may be yet to arrive.
func isCommand(n *node) bool {
	switch {
	case n.Name == "build":
		return n.Parent == "" || n.Service == "buildctl"
	case n.Name == "bake":
		return true
	}
	return strings.HasPrefix(n.Name, "build ") || strings.HasPrefix(n.Name, "bake ")
}

// hasCommandPending tells whether a client is traced whose command has yet to
// end: buildx makes spans below that of its command, which names a parent that
// has not arrived.
func hasCommandPending(list []*node) bool {
	for _, n := range list {
		if n.Service == "buildx" && n.parent == nil && n.Parent != "" {
			return true
		}
	}
	return false
}
