package detect

import (
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// shifted are builds of which compiling takes three times as long from number at on, where
// change makes of each build what else it was.
func shifted(n, at int, change func(i int, b *timeline.Build, s *timeline.Step)) []timeline.Build {
	var list []timeline.Build
	for i := range n {
		b := edit("main", i, same)
		if i >= at {
			b = edit("main", i, slow(compile, 3))
		}
		b.Facts = &timeline.Facts{}
		for k := range b.Steps {
			s := &b.Steps[k]
			if s.Facts = (&timeline.StepFacts{Op: "o"}); s.Name == compile {
				change(i, &b, s)
			}
		}
		list = append(list, b)
	}
	return list
}

func TestCausesOfShifts(t *testing.T) {
	const n, at = 40, 20
	for _, test := range []struct {
		name      string
		change    func(i int, b *timeline.Build, s *timeline.Step)
		kind      Kind
		certainty Certainty
		says      string
	}{
		{"nothing", func(int, *timeline.Build, *timeline.Step) {}, "", "", ""},
		{"what is executed", func(i int, _ *timeline.Build, s *timeline.Step) {
			if i >= at {
				s.Facts.Op = "other"
			}
		}, KindInstruction, Likely, "executed"},
		{"a file", func(_ int, b *timeline.Build, s *timeline.Step) { s.Facts.Reads = []string{"/src"} }, KindFile, Likely, "`src/slow.go` changed"},
		{"another machine", func(i int, b *timeline.Build, _ *timeline.Step) {
			if b.Machine = watched(.2, 4, 16e9); i >= at {
				b.Machine = watched(.2, 2, 8e9)
			}
		}, KindOtherMachine, Is, "another machine since, with 2 CPUs and 8 GB; before on 4 CPUs and 16 GB"},
		{"more work", func(i int, _ *timeline.Build, s *timeline.Step) {
			if s.Usage = used(41, 2); i >= at {
				s.Usage = used(130, 2)
			}
		}, KindMoreWork, Is, "of processor time"},
		{"no facts", func(_ int, b *timeline.Build, _ *timeline.Step) { b.Facts = nil }, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			builds := shifted(n, at, test.change)
			for i := range builds {
				builds[i].Revision = strings.Repeat("a", i+1)
			}
			asked := map[string]bool{}
			was := stepIn(&builds[at-1], &timeline.Step{Key: keyOf(t, &builds[at], compile)}, "")
			causes := ExplainShift(builds[:at+1], was.Key, "", timeline.Seconds(2*was.Duration), func(b *timeline.Build) Changed {
				asked[b.ID] = true
				return func(before, after string) ([]string, bool) {
					if len(before) == at && len(after) == at+1 {
						return []string{"src/slow.go"}, true
					}
					return nil, true
				}
			})
			if test.kind == "" {
				if len(causes) > 0 {
					t.Errorf("causes %+v", causes)
				}
			} else if len(causes) == 0 || causes[0].Kind != test.kind || causes[0].Certainty != test.certainty || !strings.Contains(causes[0].Text, test.says) {
				t.Errorf("causes %+v, want %s %s: %s", causes, test.certainty, test.kind, test.says)
			}
			if test.kind != "" && !asked[builds[at].ID] {
				t.Errorf("asked of %v, not of the first build at the new level", asked)
			}
		})
	}
}

// keyOf is the key of the step of a build that has the name.
func keyOf(t *testing.T, b *timeline.Build, name string) string {
	t.Helper()
	for i := range b.Steps {
		if b.Steps[i].Name == name {
			return b.Steps[i].Key
		}
	}
	t.Fatalf("no step %q", name)
	return ""
}
