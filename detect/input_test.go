package detect

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// No history is a reason not to judge, not to panic.
func TestNilHistory(t *testing.T) {
	b := edit("pr", 100, same)
	r := Judge(&b, nil, defaults)
	if want := Judge(&b, &History{}, defaults); !reflect.DeepEqual(r, want) {
		t.Errorf("judged as %+v, by an empty history as %+v", r, want)
	}
	if want := "no history: 0 of 8 builds of the base branch"; r.Reason.Text != want {
		t.Errorf("because of %q, want %q", r.Reason.Text, want)
	}
	if r.Verdict != Unjudged || len(r.Steps) != len(b.Steps) || r.Baseline.Builds != 0 {
		t.Errorf("%v with %d steps, by %d builds", r.Verdict, len(r.Steps), r.Baseline.Builds)
	}
}

// Who asks for nothing gets what the command line asks for.
func TestZeroPolicy(t *testing.T) {
	b, h := edit("pr", 100, slow(compile, 4)), appHistory(20)
	if got, want := Judge(&b, h, Policy{}), Judge(&b, h, defaults); !reflect.DeepEqual(got, want) || got.Verdict != Regressed {
		t.Errorf("the zero policy judges %v, the defaults %v", got.Verdict, want.Verdict)
	}
	trials := []Trial{{History: times(20, 60), New: times(1, 240)}}
	if got, want := Decide(trials, Thresholds{}), Decide(trials, DefaultThresholds); !reflect.DeepEqual(got, want) || got[0].Status != StatusSlower {
		t.Errorf("zero thresholds decide %v, the defaults %v", got[0].Status, want[0].Status)
	}
}

func TestThresholdsInRange(t *testing.T) {
	d := DefaultThresholds
	tests := []struct {
		name     string
		in, want Thresholds
	}{
		{"zero", Thresholds{}, d},
		{"default", d, d},
		{"only one is said", Thresholds{MinDelta: 5e9}, Thresholds{d.Window, d.MinHistory, d.FDR, 0, 5e9}},
		{"every change", Thresholds{Window: 20, MinHistory: 5, FDR: .1}, Thresholds{20, 5, .1, 0, 0}},
		{"too short", Thresholds{Window: 2, MinHistory: 1, FDR: .1, MinSlowdown: .2, MinDelta: 1}, Thresholds{3, 3, .1, .2, 1}},
		{"senseless", Thresholds{Window: -1, MinHistory: -1, FDR: 2, MinSlowdown: math.NaN(), MinDelta: -1}, Thresholds{d.Window, d.MinHistory, d.FDR, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.OrDefaults(); got != tt.want {
				t.Errorf("%+v becomes %+v, want %+v", tt.in, got, tt.want)
			}
		})
	}
}

// The order in which a caller lists builds says nothing.
func TestHistoryInAnyOrder(t *testing.T) {
	b, h := edit("pr", 103, slow(compile, 1.6)), appHistory(30)
	h.Branch = []timeline.Build{edit("pr", 102, slow(compile, 1.6)), edit("pr", 101, slow(compile, 1.6))}
	want := Judge(&b, h, defaults)
	other := *h
	other.Base, other.Branch = slices.Clone(h.Base), slices.Clone(h.Branch)
	slices.Reverse(other.Base)
	slices.Reverse(other.Branch)
	given := slices.Clone(other.Base)
	if got := Judge(&b, &other, defaults); !reflect.DeepEqual(got, want) {
		t.Errorf("oldest first it is %v, newest first %v", got.Verdict, want.Verdict)
	}
	if !reflect.DeepEqual(other.Base, given) {
		t.Error("the caller's history was changed")
	}
}

// What no source should say is judged somehow, and soon.
func TestOddInput(t *testing.T) {
	tests := []struct {
		name string
		odd  func(*timeline.Build)
	}{
		{"negative durations", func(b *timeline.Build) {
			for i := range b.Steps {
				b.Steps[i].Duration *= -1
			}
			b.Duration *= -1
		}},
		{"endless durations", func(b *timeline.Build) {
			for i := range b.Steps {
				b.Steps[i].Duration = math.MaxInt64
			}
			b.Duration = math.MaxInt64
		}},
		{"no times", func(b *timeline.Build) {
			b.Start = time.Time{}
			for i := range b.Steps {
				b.Steps[i].Start = time.Time{}
			}
		}},
		{"steps wait for each other", func(b *timeline.Build) {
			for i := range b.Steps {
				b.Steps[i].Inputs = []string{b.Steps[(i+1)%len(b.Steps)].ID, b.Steps[i].ID, "no such"}
			}
		}},
		{"no keys", func(b *timeline.Build) {
			for i := range b.Steps {
				b.Steps[i].Key, b.Steps[i].Name = "", ""
			}
		}},
		{"unknown states", func(b *timeline.Build) {
			for i := range b.Steps {
				b.Steps[i].State = timeline.State(i - 3)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, h := edit("pr", 100, same), appHistory(20)
			odd := edit("pr", 100, same)
			tt.odd(&odd)
			Judge(&odd, h, Policy{})
			for i := range h.Base {
				tt.odd(&h.Base[i])
			}
			Judge(&odd, h, Policy{})
			Judge(&b, h, Policy{})
		})
	}
}
