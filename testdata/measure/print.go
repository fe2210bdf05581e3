package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

func (m *measurement) print() {
	fmt.Printf("%d series, histories of %d\n\n", len(m.series), m.n)
	every := func(series) bool { return true }
	fmt.Println("one build, unchanged: slower per 1,000         ", m.rate(cell{1, 1}, every, 1000, func(t tally) float64 { return t.slower }))
	fmt.Println("  slower or suspect per 1,000                   ", m.rate(cell{1, 1}, every, 1000, func(t tally) float64 { return t.loud }))
	for _, f := range factors[1:] {
		fmt.Printf("  ×%-3g is slower, slower or suspect              %s  %s\n", f,
			m.rate(cell{f, 1}, every, 1, func(t tally) float64 { return t.slower }), m.rate(cell{f, 1}, every, 1, func(t tally) float64 { return t.loud }))
	}
	fmt.Println("three builds, unchanged: slower per 1,000      ", m.rate(cell{1, 3}, every, 1000, func(t tally) float64 { return t.slower }))
	for _, f := range factors[1:4] {
		fmt.Printf("  ×%-3g is slower                                 %s\n", f, m.rate(cell{f, 3}, every, 1, func(t tally) float64 { return t.slower }))
	}
	fmt.Println("any of five builds, unchanged: slower per 1,000", m.rate(cell{1, looks}, every, 1000, func(t tally) float64 { return t.everSlower }))
	for _, f := range factors[1:4] {
		fmt.Printf("  ×%-3g found by the third, by the fifth          %s  %s\n", f,
			m.rate(cell{f, 3}, every, 1, func(t tally) float64 { return t.everSlower }), m.rate(cell{f, looks}, every, 1, func(t tally) float64 { return t.everSlower }))
	}
	fmt.Println("by project, slower · slower or suspect · ever slower per 1,000:")
	mean, projects := [3]float64{}, 0.0
	for p := range m.series[len(m.series)-1].project + 1 {
		of := func(s series) bool { return s.project == p }
		if !slices.ContainsFunc(m.series, of) {
			continue
		}
		projects++
		for i, c := range []struct {
			cell cell
			what func(tally) float64
		}{
			{cell{1, 1}, func(t tally) float64 { return t.slower }},
			{cell{1, 1}, func(t tally) float64 { return t.loud }},
			{cell{1, looks}, func(t tally) float64 { return t.everSlower }},
		} {
			share, text := m.share(c.cell, of, 1000, c.what)
			mean[i] += share
			fmt.Print("   ", text)
		}
		fmt.Println()
	}
	fmt.Printf("   mean of the projects: %.2f  %.2f  %.2f\n", mean[0]/projects, mean[1]/projects, mean[2]/projects)
	fmt.Println("ranking, +20 / +50 / +100 % found:")
	quiet := func(s series) bool { return s.quiet }
	for _, r := range []struct {
		name   string
		builds int
		per    float64
		of     func(series) bool
	}{
		{"one build at 10 per 1,000", 1, 10, every},
		{"… of steps under 10 % noise", 1, 10, quiet},
		{"one build at 2 per 1,000", 1, 2, every},
		{"three builds at 2 per 1,000", 3, 2, every},
	} {
		fmt.Printf("  %-30s %s\n", r.name, m.ranking(r.builds, r.per, r.of))
	}
	if m.builds[0] > 0 {
		fmt.Printf("unchanged builds of %d steps: regressed %.1f %%, unsure %.1f %%\n", buildSteps, 100*m.builds[1]/m.builds[0], 100*m.builds[2]/m.builds[0])
	}
	fmt.Println("what another limit on the error of a step would trade, BH left out; false alarms per 1,000:")
	fmt.Println("  limit    one build: false  ×2  ×3  ×5    three: false ×1.2 ×1.5  ×2    any of five: false ×1.2 ×1.5  ×2")
	for _, limit := range []float64{0.0003, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01} {
		fmt.Printf("  %.4f             %5.2f %.2f %.2f %.2f         %5.2f  %.2f %.2f %.2f               %5.2f  %.2f %.2f %.2f\n", limit,
			1000*m.within(limit, 1, 1, 1), m.within(limit, 2, 1, 1), m.within(limit, 3, 1, 1), m.within(limit, 5, 1, 1),
			1000*m.within(limit, 1, 3, 3), m.within(limit, 1.2, 3, 3), m.within(limit, 1.5, 3, 3), m.within(limit, 2, 3, 3),
			1000*m.within(limit, 1, 1, looks), m.within(limit, 1.2, 1, looks), m.within(limit, 1.5, 1, looks), m.within(limit, 2, 1, looks))
	}
	for k, t := range m.minimum {
		if t.checks == 0 {
			continue // no series is quiet enough
		}
		fmt.Printf("power at the stated minimum of %d builds: %.2f\n", 2*k+1, t.slower/t.checks)
	}
}

// rate is a share of the checks of the series chosen, times per, with the interval
// in which it lies if the series are drawn anew.
func (m *measurement) rate(c cell, of func(series) bool, per float64, what func(tally) float64) string {
	_, text := m.share(c, of, per, what)
	return text
}

func (m *measurement) share(c cell, of func(series) bool, per float64, what func(tally) float64) (float64, string) {
	var chosen []tally
	for i, t := range m.cells[c] {
		if of(m.series[i]) {
			chosen = append(chosen, t)
		}
	}
	share := func(pick func(i int) int) float64 {
		hits, checks := 0.0, 0.0
		for i := range chosen {
			t := chosen[pick(i)]
			hits += what(t)
			checks += t.checks
		}
		return per * hits / checks
	}
	rng := rand.New(rand.NewPCG(1, 1))
	again := make([]float64, 500)
	for i := range again {
		again[i] = share(func(int) int { return rng.IntN(len(chosen)) })
	}
	slices.Sort(again)
	mean := share(func(i int) int { return i })
	return mean, fmt.Sprintf("%.2f (%.2f–%.2f)", mean, again[12], again[487])
}

// ranking is how much is found by the order of the evidence alone, at a threshold
// that so many of 1,000 unchanged checks reach.
func (m *measurement) ranking(builds int, per float64, of func(series) bool) string {
	collect := func(factor float64) (all []float64) {
		for i, s := range m.scores[cell{factor, builds}] {
			if of(m.series[i]) {
				all = append(all, s...)
			}
		}
		slices.Sort(all)
		return all
	}
	null := collect(1)
	if len(null) == 0 {
		return " no series is such"
	}
	threshold := null[int(per/1000*float64(len(null)))]
	var text strings.Builder
	for _, f := range []float64{1.2, 1.5, 2} {
		found := collect(f)
		n, _ := slices.BinarySearch(found, threshold)
		text.WriteString(fmt.Sprintf(" %.2f", float64(n)/float64(len(found))))
	}
	return text.String()
}

// within is the share of checks whose error is at most limit at one of the looks
// from first to last.
func (m *measurement) within(limit, factor float64, first, last int) float64 {
	hits, checks := 0.0, 0.0
	for i, p := range m.scores[cell{factor, first}] {
		for window := range p {
			checks++
			for look := first; look <= last; look++ {
				if m.scores[cell{factor, look}][i][window] <= limit {
					hits++
					break
				}
			}
		}
	}
	return hits / checks
}
