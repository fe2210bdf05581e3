package detect

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// wideBuilds makes builds of many steps in ten stages, which take 1 to 60 s.
func wideBuilds(steps int) func(int, *rand.Rand) []stepSpec {
	return func(_ int, rng *rand.Rand) []stepSpec {
		list := make([]stepSpec, steps)
		for i := range list {
			name := fmt.Sprintf("[stage%d %d/%d] RUN task-%c%c%c", i%10, i/10+1, steps/10, 'a'+i%26, 'a'+i/26%26, 'a'+i/676)
			list[i] = ran(name, noisy(rng, seconds(float64(1+i%60)), .1))
		}
		return list
	}
}

func benchmarkJudge(b *testing.B, steps, builds, window int) {
	build := wideBuilds(steps)
	h := mainHistory(builds, build)
	judged := newBuild("pr", 1000, build(0, rand.New(rand.NewPCG(1, 9)))...)
	p := defaults
	p.Window = window
	for b.Loop() {
		if r := Judge(&judged, h, p); len(r.Steps) != steps {
			b.Fatal(r.Verdict)
		}
	}
}

func BenchmarkJudge200Steps50Builds(b *testing.B) { benchmarkJudge(b, 200, 50, 50) }

func BenchmarkJudge5000Steps200Builds(b *testing.B) { benchmarkJudge(b, 5000, 200, 200) }
