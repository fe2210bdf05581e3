package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
)

// A hit tells of a check whether it counts as found; counted false leaves it out.
type hit func(c *check) (found, counted bool)

func always(found func(c *check) bool) hit {
	return func(c *check) (bool, bool) { return found(c), true }
}

// Of a check at a factor: slower at a look; slower or suspect; slower at any look up to one.
func slowerAt(f, look int) hit {
	return always(func(c *check) bool { return c.status[f][look-1] == detect.StatusSlower })
}

func loudAt(f, look int) hit {
	return always(func(c *check) bool {
		s := c.status[f][look-1]
		return s == detect.StatusSlower || s == detect.StatusSuspect
	})
}

func slowerBy(f, look int) hit {
	return always(func(c *check) bool {
		return slices.Contains(c.status[f][:look], detect.StatusSlower)
	})
}

func (h hit) of(which func(c *check) bool) hit {
	return func(c *check) (bool, bool) {
		found, counted := h(c)
		return found, counted && which(c)
	}
}

func quiet(c *check) bool { return c.quiet }

// shares are those of each project; NaN of one without such checks.
func (m *measurement) shares(h hit) []float64 {
	found, all := make([]float64, len(m.projects)), make([]float64, len(m.projects))
	for i := range m.checks {
		c := &m.checks[i]
		is, counted := h(c)
		if !counted {
			continue
		}
		all[c.project]++
		if is {
			found[c.project]++
		}
	}
	for p := range found {
		found[p] /= all[p]
	}
	return found
}

// mean of the values that are numbers.
func mean(values []float64) float64 {
	sum, n := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	return sum / n
}

// rate is a share, times per: the mean of the projects, the interval in which it lies if
// the series of each are drawn anew, and the worst project.
func (m *measurement) rate(h hit, per float64) string {
	type count struct{ found, all float64 }
	series := make([]map[int]*count, len(m.projects))
	for i := range m.checks {
		c := &m.checks[i]
		is, counted := h(c)
		if !counted {
			continue
		}
		if series[c.project] == nil {
			series[c.project] = map[int]*count{}
		}
		s := series[c.project][c.series]
		if s == nil {
			s = &count{}
			series[c.project][c.series] = s
		}
		s.all++
		if is {
			s.found++
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	const draws = 400
	again := make([]float64, draws)
	lists := make([][]*count, len(series))
	for p := range series {
		for _, key := range sortedKeys(series[p]) {
			lists[p] = append(lists[p], series[p][key])
		}
	}
	for i := range again {
		var shares []float64
		for _, list := range lists {
			found, all := 0.0, 0.0
			for range list {
				c := list[rng.IntN(len(list))]
				found, all = found+c.found, all+c.all
			}
			if all > 0 {
				shares = append(shares, found/all)
			}
		}
		again[i] = mean(shares)
	}
	slices.Sort(again)
	shares := m.shares(h)
	text := fmt.Sprintf("%.2f (%.2f–%.2f)", per*mean(shares), per*again[draws/40], per*again[draws-1-draws/40])
	if per > 1 {
		at := worst(shares)
		text += fmt.Sprintf(" [%.1f %s]", per*shares[at], m.projects[at].name)
	}
	return text
}

func sortedKeys[V any](m map[int]V) (keys []int) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// worst is the place of the largest share.
func worst(shares []float64) (at int) {
	for i, s := range shares {
		if s > shares[at] || math.IsNaN(shares[at]) {
			at = i
		}
	}
	return at
}

func (m *measurement) print() {
	fmt.Printf("\n== histories of %d, %d checks, %s\n", m.n, len(m.checks), map[bool]string{false: "held out at random", true: "in the order in which the builds came"}[m.raw])
	power := func(h func(f, look int) hit, look int, which []int) string {
		var text []string
		for _, f := range which {
			text = append(text, fmt.Sprintf("%.2f", mean(m.shares(h(f, look)))))
		}
		return strings.Join(text, "/")
	}
	lone, several := []int{3, 4, 5}, []int{1, 2, 3}
	fmt.Println("one build, unchanged: slower of 1,000       ", m.rate(slowerAt(0, 1), 1000))
	fmt.Println("  slower or suspect                         ", m.rate(loudAt(0, 1), 1000))
	fmt.Println("  ×2/×3/×5 slower                           ", power(slowerAt, 1, lone))
	fmt.Println("  … or suspect                              ", power(loudAt, 1, lone))
	fmt.Println("  … slower, of quiet steps                  ", power(func(f, look int) hit { return slowerAt(f, look).of(quiet) }, 1, lone))
	fmt.Println("third build, unchanged: slower of 1,000     ", m.rate(slowerAt(0, 3), 1000))
	fmt.Println("any of five, unchanged: slower of 1,000     ", m.rate(slowerBy(0, looks), 1000))
	if m.raw {
		fmt.Println("  … that does not last                      ", m.rate(func(c *check) (bool, bool) {
			found, _ := slowerBy(0, looks)(c)
			return found && !c.lasting, true
		}, 1000))
	}
	fmt.Println("  by the third ×1.2/×1.5/×2                 ", power(slowerBy, 3, several))
	fmt.Println("  by the fifth                              ", power(slowerBy, looks, several))
	for k := range m.minimum {
		if n := m.minimum[k][0]; n > 0 {
			fmt.Printf("power at the stated minimum of %d builds      %.2f\n", 2*k+1, m.minimum[k][1]/n)
		}
	}
	m.printBuilds()
	fmt.Println("by project: series, windows · slower, or suspect, any of five of 1,000 · ×2/×3/×5 · by the fifth ×1.2/×1.5/×2")
	for p := range m.projects {
		n, of := 0, map[int]bool{}
		for i := range m.checks {
			if m.checks[i].project == p {
				n++
				of[m.checks[i].series] = true
			}
		}
		if n == 0 {
			continue
		}
		at := func(h hit) float64 { return m.shares(h)[p] }
		fmt.Printf("  %-20s %3d, %5d · %4.1f, %4.1f, %4.1f · %.2f/%.2f/%.2f · %.2f/%.2f/%.2f\n", m.projects[p].name, len(of), n,
			1000*at(slowerAt(0, 1)), 1000*at(loudAt(0, 1)), 1000*at(slowerBy(0, looks)),
			at(slowerAt(3, 1)), at(slowerAt(4, 1)), at(slowerAt(5, 1)), at(slowerBy(1, looks)), at(slowerBy(2, looks)), at(slowerBy(3, looks)))
	}
	m.printLimits()
	m.printLeftOut()
	m.printRules()
	m.printPeers()
}

func (m *measurement) printBuilds() {
	var slower, suspect []float64
	for p := range m.projects {
		n, a, b := 0.0, 0.0, 0.0
		for _, u := range m.builds {
			if u.project != p {
				continue
			}
			n++
			switch {
			case u.slower:
				a++
			case u.suspect:
				b++
			}
		}
		slower, suspect = append(slower, 100*a/n), append(suspect, 100*b/n)
	}
	fmt.Printf("unchanged builds of 15 to 30 steps: a step slower %.1f %%, one suspect %.1f %%, whatever they cost\n", mean(slower), mean(suspect))
}

// errorAt is the smallest error at the looks up to one, or at one alone.
func errorAt(c *check, f, first, last int) float64 { return slices.Min(c.p[f][first-1 : last]) }

// printLimits shows what another limit on the error of a step would trade, the false
// discovery rate left out.
func (m *measurement) printLimits() {
	fmt.Println("limit: one build false of 1,000 · ×2/×3/×5 — third build false · ×1.2/×1.5/×2 — any of five false · ×1.2/×1.5/×2")
	for _, limit := range []float64{0.0003, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.01} {
		within := func(f, first, last int) float64 {
			return mean(m.shares(always(func(c *check) bool { return errorAt(c, f, first, last) <= limit })))
		}
		fmt.Printf("  %.4f: %5.2f · %.2f/%.2f/%.2f — %5.2f · %.2f/%.2f/%.2f — %5.2f · %.2f/%.2f/%.2f\n", limit,
			1000*within(0, 1, 1), within(3, 1, 1), within(4, 1, 1), within(5, 1, 1),
			1000*within(0, 3, 3), within(1, 3, 3), within(2, 3, 3), within(3, 3, 3),
			1000*within(0, 1, looks), within(1, 1, looks), within(2, 1, looks), within(3, 1, looks))
	}
}

// limitFor is the error that a share of the unchanged checks of all projects but one
// reach at the looks.
func (m *measurement) limitFor(score func(c *check) float64, share float64, without int) float64 {
	low, high := -30.0, 1e4
	for range 60 {
		middle := (low + high) / 2
		shares := m.shares(always(func(c *check) bool { return score(c) >= middle }))
		if without >= 0 {
			shares[without] = math.NaN()
		}
		if mean(shares) > share {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// printLeftOut holds each project to the limit that the others give.
func (m *measurement) printLeftOut() {
	if len(m.projects) < 3 {
		return
	}
	fmt.Println("each project held to the limit at which the others have so many false alarms of 1,000:")
	for _, row := range []struct {
		name        string
		first, last int
		per         float64
		factors     []int
	}{
		{"one build, 1.5", 1, 1, 1.5, []int{3, 4, 5}},
		{"one build, 5", 1, 1, 5, []int{3, 4, 5}},
		{"any of five, 5", 1, looks, 5, []int{1, 2, 3}},
	} {
		score := func(f int) func(c *check) float64 {
			return func(c *check) float64 { return -math.Log10(errorAt(c, f, row.first, row.last)) }
		}
		alarms, found := make([]float64, len(m.projects)), make([][]float64, len(row.factors))
		for p := range m.projects {
			limit := m.limitFor(score(0), row.per/1000, p)
			at := func(f int) float64 {
				return m.shares(always(func(c *check) bool { return score(f)(c) >= limit }))[p]
			}
			alarms[p] = 1000 * at(0)
			for i, f := range row.factors {
				found[i] = append(found[i], at(f))
			}
		}
		w := worst(alarms)
		fmt.Printf("  %-16s false %.2f [%.1f %s] ·", row.name, mean(alarms), alarms[w], m.projects[w].name)
		for i, f := range row.factors {
			fmt.Printf(" ×%g %.2f", factors[f], mean(found[i]))
		}
		fmt.Println()
	}
}

// printRules compares one build with what others judge it by, held to the same floors: set
// as they usually are, and at equal false alarms.
func (m *measurement) printRules() {
	fmt.Println("one build beside the rules of others: false of 1,000 as they are usually set · ×2/×3/×5; at 1.5; at 5")
	row := func(name string, usual float64, score func(c *check, f int) float64) {
		fmt.Printf("  %-48s", name)
		found := func(limit float64) {
			for _, f := range []int{3, 4, 5} {
				fmt.Printf(" %.2f", mean(m.shares(always(func(c *check) bool { return score(c, f) >= limit }))))
			}
		}
		unchanged := func(c *check) float64 { return score(c, 0) }
		if !math.IsInf(usual, 1) {
			fmt.Printf("%5.1f ·", 1000*mean(m.shares(always(func(c *check) bool { return unchanged(c) >= usual }))))
			found(usual)
		} else {
			fmt.Printf("%22s", "")
		}
		for _, per := range []float64{1.5, 5} {
			fmt.Printf("; ")
			found(m.limitFor(unchanged, per/1000, -1))
		}
		fmt.Println()
	}
	row("ours", -math.Log10(detect.SlowerP), func(c *check, f int) float64 { return -math.Log10(c.p[f][0]) })
	for i := range rules {
		row(rules[i].name, rules[i].usual, func(c *check, f int) float64 { return c.rules[f][i] })
	}
}

// printPeers compares several builds with the rank sum alone, at equal false alarms.
func (m *measurement) printPeers() {
	fmt.Println("several builds beside Mann–Whitney, at equal false alarms of 1,000: ×1.2/×1.5/×2")
	for _, row := range []struct {
		builds int
		per    float64
	}{{3, 1.5}, {3, 5}, {looks, 2}, {looks, 5}} {
		fmt.Printf("  %d builds at %g:", row.builds, row.per)
		for _, of := range []struct {
			name  string
			score func(c *check, f int) float64
		}{
			{"ours", func(c *check, f int) float64 { return -math.Log10(c.p[f][row.builds-1]) }},
			{"Mann–Whitney", func(c *check, f int) float64 { return c.rank[f][row.builds-1] }},
		} {
			limit := m.limitFor(func(c *check) float64 { return of.score(c, 0) }, row.per/1000, -1)
			fmt.Printf("  %s", of.name)
			for _, f := range []int{1, 2, 3} {
				fmt.Printf(" %.2f", mean(m.shares(always(func(c *check) bool { return of.score(c, f) >= limit }))))
			}
		}
		fmt.Println()
	}
}
