package detect

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// bake makes the builds of so many targets that share a step, one execution of it.
func bake(branch string, n, targets int, shared time.Duration) (builds []timeline.Build) {
	for target := range targets {
		b := newBuild(branch, n, ran("[deps 1/1] RUN install", shared), ran("[app 1/1] RUN app", seconds(5), "[deps 1/1] RUN install"))
		b.ID = fmt.Sprint(b.ID, "-", target)
		b.Steps[0].ID, b.Steps[1].Inputs = "0a", []string{"0a"}
		b.Steps[1].ID = fmt.Sprint("0b", target)
		b.Steps[1].Start = b.Steps[1].Start.Add(time.Duration(target) * time.Millisecond)
		builds = append(builds, b)
	}
	return builds
}

// A step that sixteen targets share is one sample a bake, and none of the bake's own.
func TestSharedStepIsOneSample(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := &History{BaseBranch: "main"}
	for n := range 10 {
		h.Base = append(bake("main", n, 16, noisy(rng, seconds(20), 0.02)), h.Base...)
	}
	own := bake("main", 50, 16, seconds(60))
	h.Base = append(own[1:], h.Base...)
	r := Judge(&own[0], h, Policy{Thresholds: Thresholds{Window: 200}})
	if s := stepOf(t, &r, "[deps 1/1] RUN install"); s.N != 10 || s.Status != StatusSlower {
		t.Errorf("by %d samples it is %v", s.N, s.Status)
	}
	if s := stepOf(t, &r, "[app 1/1] RUN app"); s.N != 10*16+15 {
		t.Errorf("what each target ran has %d samples", s.N)
	}

	// Nor is it several pieces of evidence.
	var branch []*timeline.Build
	own = bake("pr", 100, 5, seconds(23))
	for i := range own {
		branch = append(branch, &own[i])
	}
	a := arrange(h.Base[15:], nil, nil, branch)
	for i, want := range []int{1, 5} {
		n := 0
		for _, ran := range a.series[i].ran {
			if ran {
				n++
			}
		}
		if n != want || !a.series[i].ran[4] {
			t.Errorf("%s is evidence of %d builds, want %d", a.series[i].step.Name, n, want)
		}
	}
}
