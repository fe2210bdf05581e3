package detect

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// The parts of the account sum to the difference exactly, whatever happened.
func TestAccountSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	h := appHistory(20)
	for n := range 200 {
		b := edit("pr", 100+n, func(s []stepSpec) []stepSpec {
			for i := range s {
				switch rng.IntN(6) {
				case 0:
					s[i].Took = time.Duration(float64(s[i].Took) * (0.1 + 5*rng.Float64()))
				case 1:
					s[i].State, s[i].Took = timeline.Executed, time.Duration(rng.Int64N(60e9))
				case 2:
					s[i].State, s[i].Took = timeline.Cached, 0
				}
			}
			return s
		})
		if rng.IntN(4) == 0 {
			for i := range b.Steps {
				b.Steps[i].Start, b.Steps[i].Inputs = time.Time{}, nil
			}
		}
		r := Judge(&b, h, defaults)
		var sum timeline.Seconds
		for _, p := range r.WallClock.Parts {
			sum += p.Seconds
		}
		if sum != r.WallClock.Delta || r.WallClock.Delta != timeline.Seconds(b.Duration)-r.WallClock.Usual {
			t.Fatalf("build %d: the parts sum to %v of %v", n, sum.D(), r.WallClock.Delta.D())
		}
	}
}

func TestCriticalPath(t *testing.T) {
	const docs, lint, export = "[docs 1/1] RUN make docs", "[build 4/4] RUN make lint", "exporting to image"
	h := appHistory(20)
	b := edit("pr", 100, same)
	r := Judge(&b, h, defaults)
	for name, critical := range map[string]bool{"[internal] load build context": true, "[build 2/4] RUN make compile": true, lint: true, export: true, docs: false} {
		if s := stepOf(t, &r, name); s.Critical != critical {
			t.Errorf("%s on the critical path: %v", name, s.Critical)
		}
	}
	// docs takes 30 s beside 120 s of build.
	if s := stepOf(t, &r, docs); s.Slack.D() < seconds(80) || s.Slack.D() > seconds(100) {
		t.Errorf("slack of docs is %v, want about 90 s", s.Slack.D())
	}

	b = edit("pr", 100, slow(docs, 2.5))
	r = Judge(&b, h, defaults)
	if s := stepOf(t, &r, docs); s.WallClockSeconds != 0 || s.Critical || r.Verdict == Regressed {
		t.Errorf("docs slower within its slack costs %v, %v", s.WallClockSeconds.D(), r.Verdict)
	}
	b = edit("pr", 100, slow(docs, 6))
	r = Judge(&b, h, defaults)
	if s := stepOf(t, &r, docs); !s.Critical || r.Verdict != Regressed || stepOf(t, &r, lint).Critical {
		t.Errorf("docs beyond its slack: critical %v, %v", s.Critical, r.Verdict)
	}
}

func TestAccountNamesItsCauses(t *testing.T) {
	h := appHistory(20)
	b := edit("pr", 100, func(s []stepSpec) []stepSpec {
		for i := range s {
			s[i].Took = s[i].Took * 3 / 2
		}
		return slow("[build 3/4] RUN make test", 4)(s)
	})
	r := Judge(&b, h, defaults)
	got := map[Cause]time.Duration{}
	for _, p := range r.WallClock.Parts {
		if p.Cause == CauseStep && p.Step != "[build] RUN make test" {
			// What a step took more than a second above what was expected is named.
			if p.Seconds.D().Abs() < seconds(1) || p.Seconds.D().Abs() > seconds(15) {
				t.Errorf("step %s is named with %v", p.Step, p.Seconds.D())
			}
			continue
		}
		got[p.Cause] = p.Seconds.D()
	}
	// 133 s on the path, half as much again by the runner; test took 240 s of 60 s.
	if d := got[CauseRunner]; d < seconds(55) || d > seconds(80) {
		t.Errorf("the runner's part is %v, want about 66 s", d)
	}
	if d := got[CauseStep]; d < seconds(160) || d > seconds(200) {
		t.Errorf("the step's part is %v, want about 180 s", d)
	}
	if last := r.WallClock.Parts[len(r.WallClock.Parts)-1]; last.Cause != CauseRest {
		t.Errorf("the last part is %v", last.Cause)
	}
}

// Without inputs, the path follows stages, COPY --from and time.
func TestCriticalPathWithoutInputs(t *testing.T) {
	at := func(name string, from, took float64) timeline.Step {
		n := dockerfile.ParseName(name)
		return timeline.Step{
			Name: name, Key: dockerfile.Key(n.Platform, n.Stage, n.Text), Stage: n.Stage, Index: n.Index, Count: n.Count,
			Start: epoch.Add(seconds(from)), Duration: seconds(took),
		}
	}
	g := timeline.NewGraph(&timeline.Build{Start: epoch, Steps: []timeline.Step{
		at("[a 1/2] RUN one", 0, 10),
		at("[b 1/1] RUN other", 0, 19.99),
		at("[a 2/2] RUN two", 10.01, 9.99),
		at("[final 1/1] COPY --from=a /x /", 20.01, 1),
		at("exporting to image", 21.02, 5),
	}})
	var names []string
	for _, i := range g.CriticalPath() {
		names = append(names, g.Steps[i].Name)
	}
	want := []string{"exporting to image", "[final 1/1] COPY --from=a /x /", "[a 2/2] RUN two", "[a 1/2] RUN one"}
	if len(names) != 4 || names[0] != want[0] || names[1] != want[1] || names[2] != want[2] || names[3] != want[3] {
		t.Errorf("path %q, want %q", names, want)
	}
}
