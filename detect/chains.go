package detect

// A lossChain is steps that ran and are usually cached: one, and those downstream of it.
type lossChain struct {
	root       int // indices of series
	downstream []int
}

// chainsOf gathers lost steps below the first one of each chain, which is lost and
// has nothing lost above it. A step below several belongs to the first of them.
func chainsOf(g *graph, lost []bool) (chains []lossChain) {
	const unknown, busy, none = -3, -2, -1
	above := make([]int, len(lost)) // chain above a step, or that it begins
	for i := range above {
		above[i] = unknown
	}
	var visit func(i int) int
	visit = func(i int) int {
		if above[i] != unknown {
			return max(above[i], none) // a cycle ends here
		}
		above[i] = busy
		first := none
		for _, in := range g.inputs[i] {
			if c := visit(in); c >= 0 && (first < 0 || c < first) {
				first = c
			}
		}
		switch {
		case lost[i] && first < 0:
			first = len(chains)
			chains = append(chains, lossChain{root: i})
		case lost[i]:
			chains[first].downstream = append(chains[first].downstream, i)
		}
		above[i] = first
		return first
	}
	for i := range lost {
		visit(i)
	}
	return chains
}
