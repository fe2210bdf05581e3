package github

import "sync"

// A readGate tells when enough of the base's artifacts were read. They are read
// several at a time; what counts is how far they were read without a gap, and runs
// as a whole, so that the same ones are taken whichever comes first.
type readGate struct {
	mu     sync.Mutex
	ended  []bool
	found  []int            // builds in each
	isLast func(i int) bool // of its run
	next   int              // the first that is not read yet
	first  int              // of the base's
	sum    int
	enough int
	full   bool
}

func newReadGate(n, first, enough int, isLast func(i int) bool) *readGate {
	return &readGate{ended: make([]bool, n), found: make([]int, n), first: first, enough: enough, isLast: isLast}
}

// done notes that the i-th was read, with so many builds, and tells whether all
// that are needed were.
func (g *readGate) done(i, builds int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended[i], g.found[i] = true, builds
	for ; g.next < len(g.ended) && g.ended[g.next]; g.next++ {
		if g.next >= g.first {
			g.sum += g.found[g.next]
			g.full = g.full || g.sum >= g.enough && g.isLast(g.next)
		}
	}
	return g.full
}
