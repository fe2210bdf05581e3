package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
)

const (
	shiftWindow = 50 // values, in an order that was shuffled
	shiftOlder  = 30 // of them before the change
)

// measureShifts tells how many shuffled histories hold a change of level, and how many of
// those are found that are put in: within three builds of the right one, after 5 to 20
// builds on the new level.
func measureShifts(projects []project, seeds int) {
	fmt.Println("\nlasting changes of level in shuffled histories of 50: found of 1,000 where there is none")
	shares := make([]float64, len(projects))
	for p := range projects {
		found, all := 0.0, 0.0
		shuffled(projects, p, seeds, func(v []time.Duration) {
			all++
			if cut(v) > 0 {
				found++
			}
		})
		shares[p] = found / all
		fmt.Printf("  %-20s %.2f (%.0f windows)\n", projects[p].name, 1000*shares[p], all)
	}
	fmt.Printf("  mean %.2f\n", 1000*mean(shares))
	for _, factor := range []float64{1.2, 1.5, 2, 1 / 1.2, 1 / 1.5, 0.5} {
		var within, exact []float64
		var delays []int
		for p := range projects {
			found, right, all := 0.0, 0.0, 0.0
			shuffled(projects, p, max(1, seeds/4), func(v []time.Duration) {
				usual := middle(v)
				if change := time.Duration(float64(usual)*factor) - usual; change.Abs() < time.Second {
					return
				}
				all++
				delay := shiftWindow
				for since := shiftWindow - shiftOlder; since >= 5; since-- {
					changed := slices.Clone(v[:since+shiftOlder])
					for i := range since {
						changed[i] = time.Duration(float64(changed[i]) * factor)
					}
					at := cut(changed)
					if at >= since-3 && at > 0 && at <= since+3 {
						delay = since
					}
					if since == shiftWindow-shiftOlder && at == since {
						right++
					}
				}
				delays = append(delays, delay)
				if delay < shiftWindow {
					found++
				}
			})
			if all > 0 {
				within, exact = append(within, found/all), append(exact, right/all)
			}
		}
		slices.Sort(delays)
		fmt.Printf("×%.2f: found %.2f, at the right build %.2f; after %d builds in half of the cases\n", factor, mean(within), mean(exact), delays[len(delays)/2])
	}
}

// shuffled gives windows of a project's series in an order of chance.
func shuffled(projects []project, p, seeds int, judge func(v []time.Duration)) {
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), uint64(p)))
		for _, s := range projects[p].series {
			if len(s.values) < shiftWindow {
				continue
			}
			at := rng.IntN(len(s.values) - shiftWindow + 1)
			v := slices.Clone(s.values[at : at+shiftWindow])
			rng.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
			judge(v)
		}
	}
}

// cut is how many of the newest values are of a new level, 0 if none is found.
func cut(newestFirst []time.Duration) int {
	trial := detect.Trial{History: newestFirst, New: newestFirst[:1]}
	return detect.Decide([]detect.Trial{trial}, detect.DefaultThresholds)[0].Cut
}
