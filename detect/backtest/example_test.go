package backtest_test

import (
	"fmt"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/backtest"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Each build is judged by those before it; in the last two, a step is slower.
func Example() {
	var history []timeline.Build // newest first
	var replays []backtest.Replay
	for n, took := range []time.Duration{58, 61, 63, 60, 59, 64, 57, 60, 62, 61, 59, 60, 240, 250} {
		b := timeline.Build{
			ID: fmt.Sprint(n), Start: time.Date(2026, 3, 1, n, 0, 0, 0, time.UTC),
			Steps: []timeline.Step{{Key: "[build] RUN make", Name: "RUN make", Duration: took * time.Second}},
		}
		result := detect.Judge(&b, &detect.History{Base: history}, detect.Policy{})
		replays = append(replays, backtest.NewReplay(&result, []string{"regressed"}))
		history = append([]timeline.Build{b}, history...)
	}

	r := backtest.Summarize("image", replays)
	fmt.Printf("Of %d builds %d were judged, %d of them regressed.\n", r.Builds, r.Judged, r.Verdicts[detect.Regressed])
	fmt.Printf("%s was called slower in %d of %d checks.\n", r.Steps[0].Name, r.Calls.Slower, r.Checks)
	// Output:
	// Of 14 builds 6 were judged, 2 of them regressed.
	// RUN make was called slower in 2 of 6 checks.
}
