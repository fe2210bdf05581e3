package detect

import (
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// watched is a machine on which something waited for a processor for that share of ten
// seconds.
func watched(wait, cpus float64, memory int64) *timeline.Machine {
	return &timeline.Machine{Window: 10e9, CPUs: cpus, Memory: memory, CPUWait: &wait}
}

// watchedHistory is an app's, each build of it on such a machine.
func watchedHistory(wait float64) *History {
	h := appHistory(30)
	for i := range h.Base {
		h.Base[i].Machine = watched(wait+float64(i%5)/100, 4, 16e9)
	}
	return h
}

func TestOverloadedMachine(t *testing.T) {
	waitedFor := func(s float64) *timeline.Usage {
		took := timeline.Seconds(seconds(s))
		return &timeline.Usage{CPUWait: &took}
	}
	for _, test := range []struct {
		name     string
		usual    float64
		now      *timeline.Machine
		usage    *timeline.Usage
		want     Status
		overload bool
	}{
		{"nothing measured", .2, nil, nil, StatusSlower, false},
		{"quiet", .2, watched(.25, 4, 16e9), nil, StatusSlower, false},
		{"overloaded", .2, watched(.94, 4, 16e9), nil, StatusSuspect, true},
		{"it waited", .2, watched(.94, 4, 16e9), waitedFor(110), StatusSuspect, true},
		{"it did not wait", .2, watched(.94, 4, 16e9), waitedFor(2), StatusSlower, true},
		{"so it always is", .9, watched(.96, 4, 16e9), nil, StatusSlower, false},
		{"hardly watched", .2, &timeline.Machine{Window: 3e8, CPUWait: new(.94)}, nil, StatusSlower, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := edit("x", 100, slow(compile, 3))
			b.Machine = test.now
			for i := range b.Steps {
				if b.Steps[i].Name == compile {
					b.Steps[i].Usage = test.usage
				}
			}
			r := Judge(&b, watchedHistory(test.usual), defaults)
			if got := stepOf(t, &r, compile).Status; got != test.want {
				t.Errorf("the step is %v, want %v", got, test.want)
			}
			told := false
			for _, n := range r.Notes {
				told = told || n.Kind == KindMachineOverloaded && strings.Contains(n.Text, "94 % of the time (usually 20–24 %)")
			}
			if told != test.overload {
				t.Errorf("overload told: %v, want %v: %v", told, test.overload, r.Notes)
			}
			if wrong := r.Verdict == Regressed && test.want == StatusSuspect; wrong {
				t.Error("it fails by the machine alone")
			}
		})
	}
}

// Builds on a quiet machine that were as slow prove it.
func TestOverloadIsNotTheReasonOfEarlierBuilds(t *testing.T) {
	h := watchedHistory(.2)
	for n := range 2 {
		b := edit("x", 99-n, slow(compile, 3))
		b.Machine = watched(.2, 4, 16e9)
		h.Branch = append(h.Branch, b)
	}
	b := edit("x", 100, slow(compile, 3))
	b.Machine = watched(.94, 4, 16e9)
	if r := Judge(&b, h, defaults); stepOf(t, &r, compile).Status != StatusSlower {
		t.Errorf("the step is %v", stepOf(t, &r, compile).Status)
	}
}

func TestOtherMachine(t *testing.T) {
	for _, test := range []struct {
		name   string
		now    *timeline.Machine
		mixed  bool
		sought string
	}{
		{"the same", watched(.2, 3.94, 16.1e9), false, ""},
		{"smaller", watched(.2, 2.02, 8e9), false, "with 2 CPUs and 8 GB; the baseline on 4 CPUs and 16 GB"},
		{"less memory", watched(.2, 4, 8e9), false, "with 4 CPUs and 8 GB"},
		{"of the baseline's kinds", watched(.2, 2, 8e9), true, ""},
		{"other processors", &timeline.Machine{Window: 10e9, CPUs: 4, Memory: 16e9, Model: "EPYC 9V74"}, false, "with EPYC 9V74, 4 CPUs and 16 GB; the baseline on EPYC 7763, 4 CPUs and 16 GB"},
		{"the same processors", &timeline.Machine{Window: 10e9, CPUs: 4, Memory: 16e9, Model: "EPYC 7763"}, false, ""},
		{"processors that are not known", &timeline.Machine{Window: 10e9, CPUs: 4, Memory: 16e9}, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := watchedHistory(.2)
			for i := range h.Base {
				h.Base[i].Machine.Model = "EPYC 7763"
			}
			if test.mixed {
				h.Base[3].Machine = watched(.2, 2, 8e9)
			}
			b := edit("x", 100, same)
			b.Machine = test.now
			r := Judge(&b, h, defaults)
			told := ""
			for _, n := range r.Notes {
				if n.Kind == KindOtherMachine {
					told = n.Text
				}
			}
			if told == "" != (test.sought == "") || !strings.Contains(told, test.sought) {
				t.Errorf("told %q, want %q", told, test.sought)
			}
		})
	}
}
