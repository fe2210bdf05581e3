package detect

import (
	"strings"
	"testing"
)

// shifted are builds of which compiling takes three times as long from number at on, where
// change makes of each build what else it was.
func shifted(n, at int, change func(i int, b *Build, s *Step)) []Build {
	var list []Build
	for i := range n {
		b := edit("main", i, same)
		if i >= at {
			b = edit("main", i, slow(compile, 3))
		}
		b.Facts = &Facts{}
		for k := range b.Steps {
			s := &b.Steps[k]
			if s.Facts = (&StepFacts{Op: "o"}); s.Name == compile {
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
		change    func(i int, b *Build, s *Step)
		kind      Kind
		certainty Certainty
		says      string
	}{
		{"nothing", func(int, *Build, *Step) {}, "", "", ""},
		{"what is executed", func(i int, _ *Build, s *Step) {
			if i >= at {
				s.Facts.Op = "other"
			}
		}, KindInstruction, Likely, "executed"},
		{"a file", func(_ int, b *Build, s *Step) { s.Facts.Reads = []string{"/src"} }, KindFile, Likely, "`src/slow.go` changed"},
		{"another machine", func(i int, b *Build, _ *Step) {
			if b.Machine = watched(.2, 4, 16e9); i >= at {
				b.Machine = watched(.2, 2, 8e9)
			}
		}, KindOtherMachine, Is, "another machine since, with 2 CPUs and 8 GB; before on 4 CPUs and 16 GB"},
		{"more work", func(i int, _ *Build, s *Step) {
			if s.Usage = used(41, 2); i >= at {
				s.Usage = used(130, 2)
			}
		}, KindMoreWork, Is, "of processor time"},
		{"no facts", func(_ int, b *Build, _ *Step) { b.Facts = nil }, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			builds := shifted(n, at, test.change)
			for i := range builds {
				builds[i].Revision = strings.Repeat("a", i+1)
			}
			c := Follow(builds, defaults.Thresholds)
			asked := map[string]bool{}
			c.Explain(builds, func(b *Build) Changed {
				asked[b.ID] = true
				return func(before, after string) ([]string, bool) {
					if len(before) == at && len(after) == at+1 {
						return []string{"src/slow.go"}, true
					}
					return nil, true
				}
			})
			found := 0
			for _, s := range c.Steps {
				for _, shift := range s.Shifts {
					if s.Name != compile {
						continue
					}
					found++
					if test.kind == "" {
						if len(shift.Causes) > 0 {
							t.Errorf("causes %+v", shift.Causes)
						}
					} else if len(shift.Causes) == 0 || shift.Causes[0].Kind != test.kind || shift.Causes[0].Certainty != test.certainty || !strings.Contains(shift.Causes[0].Text, test.says) {
						t.Errorf("causes %+v, want %s %s: %s", shift.Causes, test.certainty, test.kind, test.says)
					}
				}
			}
			if found != 1 {
				t.Errorf("%d shifts of the step", found)
			}
			if test.kind != "" && !asked[builds[at].ID] {
				t.Errorf("asked of %v, not of the first build at the new level", asked)
			}
		})
	}
}
