package timeline

// A Chain is steps that ran and are usually cached: one, and those downstream of it.
type Chain struct {
	Root       int // indices of series
	Downstream []int
}

// Chains gathers lost steps below the first one of each chain, which is lost and
// has nothing lost above it. A step below several belongs to the first of them.
func Chains(g *Graph, lost []bool) (chains []Chain) {
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
		for _, in := range g.Inputs[i] {
			if c := visit(in); c >= 0 && (first < 0 || c < first) {
				first = c
			}
		}
		switch {
		case lost[i] && first < 0:
			first = len(chains)
			chains = append(chains, Chain{Root: i})
		case lost[i]:
			chains[first].Downstream = append(chains[first].Downstream, i)
		}
		above[i] = first
		return first
	}
	for i := range lost {
		visit(i)
	}
	return chains
}
