package detect

import (
	"slices"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// used is what a step used: seconds of processor time, and of waiting for it.
func used(cpu, wait float64) *timeline.Usage {
	c, w := timeline.Seconds(seconds(cpu)), timeline.Seconds(seconds(wait))
	return &timeline.Usage{CPU: &c, CPUWait: &w}
}

// usedHistory is an app's of which is known what compiling used.
func usedHistory() *History {
	h := appHistory(30)
	for i := range h.Base {
		h.Base[i].Facts = &timeline.Facts{}
		for j := range h.Base[i].Steps {
			if s := &h.Base[i].Steps[j]; s.Name == compile {
				s.Usage = used(40+float64(i%4), 2)
				s.Facts = &timeline.StepFacts{Op: "o"}
			}
		}
	}
	return h
}

// What a step used says whether it did more, or waited.
func TestCausesByUsage(t *testing.T) {
	with := func(u *timeline.Usage, change func(*timeline.Usage)) *timeline.Usage {
		change(u)
		return u
	}
	throttled := timeline.Seconds(seconds(100))
	for _, test := range []struct {
		name string
		used *timeline.Usage
		want Kind
		says string
	}{
		{"nothing measured", nil, KindNothingRecorded, "nothing"},
		{"as usual", used(42, 2), KindNothingRecorded, "nothing"},
		{"a little more, as on a hot machine", used(51, 2), KindNothingRecorded, "nothing"},
		{"more work", used(150, 3), KindMoreWork, "it used 2 m 30 s of processor time, usually 42 s"},
		{"starved", used(43, 110), KindStepStarved, "waited 110 s for a processor"},
		{"throttled", with(used(42, 2), func(u *timeline.Usage) { u.Throttled = &throttled }), KindStepThrottled, "100 s by a quota"},
		{"killed", with(used(42, 2), func(u *timeline.Usage) { u.OOMKills, u.MemoryPeak = 1, 7.9e9 }), KindStepMemory, "killed for memory (peak 7.9 GB)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := usedHistory()
			b := edit("x", 100, slow(compile, 3))
			b.Facts = &timeline.Facts{}
			for i := range b.Steps {
				if s := &b.Steps[i]; s.Name == compile {
					s.Usage, s.Facts = test.used, &timeline.StepFacts{Op: "o"}
				}
			}
			r := Judge(&b, h, defaults)
			r.Explain(&b, h, nil)
			s := stepOf(t, &r, compile)
			if len(s.Causes) != 1 || s.Causes[0].Kind != test.want {
				t.Fatalf("causes %+v, want %s", s.Causes, test.want)
			}
			says := strings.ReplaceAll(s.Causes[0].Text, "41 s", "42 s")
			if !strings.Contains(says, test.says) {
				t.Errorf("it says %q, want %q in it", s.Causes[0].Text, test.says)
			}
			if (s.Causes[0].Certainty == Is) != (test.want != KindNothingRecorded) {
				t.Errorf("it is %s", s.Causes[0].Certainty)
			}
		})
	}
}

// A transfer moved more, or as much at another speed.
func TestCausesByBytes(t *testing.T) {
	const load = "[internal] load build context"
	for _, test := range []struct {
		name  string
		bytes int64
		want  Kind
	}{{"more", 231e6, KindMoreBytes}, {"as much", 4e6, KindSlowerTransfer}, {"nothing is known", 0, ""}} {
		t.Run(test.name, func(t *testing.T) {
			h := appHistory(30)
			for i := range h.Base {
				for j := range h.Base[i].Steps {
					if s := &h.Base[i].Steps[j]; s.Name == load {
						s.Bytes = 4e6 + int64(i)*1000
					}
				}
			}
			b := edit("x", 100, slow(load, 5))
			for j := range b.Steps {
				if b.Steps[j].Name == load {
					b.Steps[j].Bytes = test.bytes
				}
			}
			r := Judge(&b, h, defaults)
			r.Explain(&b, h, nil)
			causes := stepOf(t, &r, load).Causes
			if test.want == "" && len(causes) > 0 || test.want != "" && (len(causes) == 0 || causes[0].Kind != test.want) {
				t.Errorf("causes %+v, want %q", causes, test.want)
			}
		})
	}
}

// The first slow build of a branch is compared, not the newest, and a fact that changes
// in each build is no cause.
func TestFirstSlowBuildIsCompared(t *testing.T) {
	facts := func(b *timeline.Build, op, arg string) {
		b.Facts = &timeline.Facts{Args: []timeline.BuildArg{{Name: "REV", Hash: arg}}}
		for i := range b.Steps {
			s := &b.Steps[i]
			if s.Facts = (&timeline.StepFacts{Op: "o"}); s.Name == compile {
				s.Facts = &timeline.StepFacts{Op: op, Args: []string{"REV"}}
			}
		}
	}
	h := appHistory(30)
	for i := range h.Base {
		facts(&h.Base[i], "old", h.Base[i].Revision)
	}
	for n := range 3 {
		e := edit("x", 101+n, slow(compile, map[bool]float64{true: 3, false: 1}[n > 0]))
		facts(&e, map[bool]string{true: "new", false: "old"}[n > 0], e.Revision)
		h.Branch = slices.Insert(h.Branch, 0, e)
	}
	b := edit("x", 110, slow(compile, 3))
	facts(&b, "new", b.Revision)
	r := Judge(&b, h, defaults)
	r.Explain(&b, h, nil)
	s := stepOf(t, &r, compile)
	if len(s.Causes) != 1 || s.Causes[0].Kind != KindInstruction || s.Causes[0].Certainty != Likely {
		t.Errorf("causes %+v", s.Causes)
	}
	if len(s.RuledOut) == 0 || !strings.Contains(s.RuledOut[0].Text, "`x-101` of `x0101`, the last of its usual time, and `x-102` of `x0102`, the first slow one") {
		t.Errorf("looked at %v", s.RuledOut)
	}
	habit := slices.ContainsFunc(s.RuledOut, func(n Note) bool { return n.Kind == KindArgument && strings.Contains(n.Text, "in most builds") })
	if !habit {
		t.Errorf("the argument that always changes is not ruled out: %v", s.RuledOut)
	}
}

// asked is what is told of compiling, three times as slow, in a build that change made what
// it was, and whose commit changed files.
func asked(t *testing.T, change func(b *timeline.Build, s *timeline.Step), files ...string) []Explanation {
	t.Helper()
	h := usedHistory()
	prepare := func(b *timeline.Build) *timeline.Step {
		b.Facts = &timeline.Facts{}
		var compiling *timeline.Step
		for i := range b.Steps {
			s := &b.Steps[i]
			s.Facts = &timeline.StepFacts{Op: "o"}
			if s.Name == compile {
				s.Facts.Reads, s.Usage, compiling = []string{"/Makefile", "/"}, used(42, 2), s
			}
		}
		return compiling
	}
	for i := range h.Base {
		prepare(&h.Base[i])
	}
	b := edit("x", 100, slow(compile, 3))
	change(&b, prepare(&b))
	r := Judge(&b, h, defaults)
	r.Explain(&b, h, func(_, after string) ([]string, bool) {
		if after == strings.TrimSuffix(b.Revision, "-dirty") {
			return files, true
		}
		return nil, true
	})
	return stepOf(t, &r, compile).Causes
}

// That a step did more is told of what gave it more to do, and is no cause beside it.
func TestMoreWorkIsToldOfItsReason(t *testing.T) {
	work := func(_ *timeline.Build, s *timeline.Step) { s.Usage = used(150, 3) }
	got := asked(t, work, "Makefile")
	if len(got) != 1 || got[0].Kind != KindFile || got[0].Certainty != Likely || !strings.Contains(got[0].Text, "it used 2 m 30 s of processor time") {
		t.Errorf("causes %+v", got)
	}
	if got := asked(t, work); len(got) != 1 || got[0].Kind != KindMoreWork || got[0].Certainty != Is {
		t.Errorf("with nothing changed: %+v", got)
	}
}

// What stands beside the code is read by who reads all, and is no cause; nor is a tree with
// changes that nobody committed compared as if it had none.
func TestFilesThatAreNoCause(t *testing.T) {
	nothing := func(*timeline.Build, *timeline.Step) {}
	for _, test := range []struct {
		name  string
		files []string
		dirty bool
		want  Kind
		says  string
	}{
		{"documents", []string{"README.md", "docs/a.txt", "Dockerfile", ".github/workflows/ci.yml"}, false, KindNothingRecorded, "nothing"},
		{"documents and code", []string{"README.md", "main.c"}, false, KindFile, "`main.c` changed"},
		{"its own file, and code", []string{"Makefile", "main.c"}, false, KindFile, "`Makefile` changed"},
		{"dirty", nil, true, KindNothingRecorded, "but for what was not committed"},
		{"its own file, and dirty", []string{"Makefile"}, true, KindFile, "`Makefile` changed"},
	} {
		got := asked(t, func(b *timeline.Build, s *timeline.Step) {
			if nothing(b, s); test.dirty {
				b.Revision += "-dirty"
			}
		}, test.files...)
		if len(got) == 0 || got[0].Kind != test.want || !strings.Contains(got[0].Text, test.says) {
			t.Errorf("%s: causes %+v, want %s", test.name, got, test.want)
		}
		for _, c := range got {
			if c.Certainty == Likely && (test.dirty || len(test.files) > 1) {
				t.Errorf("%s: not all is known, and it says %+v", test.name, c)
			}
		}
	}
}

// An argument that was not given before has had its default, which is no other variable.
func TestGivenArgumentIsNoVariable(t *testing.T) {
	got := asked(t, func(b *timeline.Build, s *timeline.Step) {
		b.Facts.Args = []timeline.BuildArg{{Name: "MODE", Hash: "1"}}
		s.Facts.Env, s.Facts.Args = "other", []string{"MODE"}
	})
	if len(got) != 1 || got[0].Kind != KindArgument || got[0].Certainty != Likely || !strings.Contains(got[0].Text, "`MODE` is given, and was not before") {
		t.Errorf("causes %+v", got)
	}
}

// A step that did more is slow on any machine: then what gave it more to do goes before a
// machine that was overloaded, and behind it where the machine did more.
func TestMachineAndReason(t *testing.T) {
	share := func(x float64) *float64 { return &x }
	for _, test := range []struct {
		cpu, wait float64
		first     Kind
	}{{150, 40, KindFile}, {65, 300, KindMachineOverloaded}} {
		got := asked(t, func(b *timeline.Build, s *timeline.Step) {
			s.Usage = used(test.cpu, test.wait)
			b.Machine = &timeline.Machine{Window: timeline.Seconds(seconds(300)), CPUWait: share(0.97)}
		}, "Makefile")
		if len(got) < 2 || got[0].Kind != test.first {
			t.Errorf("%v s of work, %v s of waiting: %+v, want %s first", test.cpu, test.wait, got, test.first)
		}
		for _, c := range got[1:] {
			if c.Certainty != Possible {
				t.Errorf("beside %s: %+v", test.first, c)
			}
		}
	}
}

func TestIsRead(t *testing.T) {
	for _, test := range []struct {
		file, read, context string
		want                bool
	}{
		{"src/a.go", "/src", "", true},
		{"src", "/src", "", true},
		{"srcs/a.go", "/src", "", false},
		{"src/a.go", "/", ".", true},
		{"web/src/a.go", "/src", "web", true},
		{"src/a.go", "/src", "web", false},
		{"package-lock.json", "/package*.json", "", true},
		{"package/x/y", "/pack*", "", true},
		{"x/package.json", "/package*.json", "", false},
		{"a/b/c.txt", "/a/*/c.txt", "", true},
		{"anything", "/..", "", true},
	} {
		if got := timeline.IsRead(test.file, test.read, test.context); got != test.want {
			t.Errorf("%q by %q in %q: %v", test.file, test.read, test.context, got)
		}
	}
}
