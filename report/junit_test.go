package report

import (
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect"
)

// Whatever names hold, it is XML whose counts are those of its cases, no two of which
// are one; and some fail exactly where the check does.
func TestJUnitFailsWhereTheCheckDoes(t *testing.T) {
	failOns := [][]string{{"regressed"}, {"unsure"}, {"cache-lost"}, {"over-budget"}, {"never"}, {"regressed", "cache-lost"}}
	for _, f := range append(fixtures(), fixture{"control characters", hostileReport("\x00\x1b[31m]]>\x0b\xff\u2028<!--")}) {
		for _, failOn := range failOns {
			f.report.FailOn = failOn
			var all junitSuites
			text := render(t, func(w io.Writer) error { return JUnit(w, f.report) })
			if err := xml.Unmarshal([]byte(text), &all); err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			fails := slices.ContainsFunc(f.report.Results, func(r detect.Result) bool { return r.Fails(failOn) })
			if fails != (all.Failures > 0) {
				t.Errorf("%s with --fail-on %s: %d failures, and that it fails is %v", f.name, failOn, all.Failures, fails)
			}
			tests, failures := 0, 0
			for _, s := range all.Suites {
				names, skipped := map[string]bool{}, 0
				for _, c := range s.Cases {
					if id := c.Class + "\x00" + c.Name; names[id] {
						t.Errorf("%s: two cases are %q", f.name, id)
					} else {
						names[id] = true
					}
					if len([]rune(c.Name)) > maxJUnitName+10 || strings.ContainsAny(c.Name, "\x00\x1b\n") {
						t.Errorf("%s: name %q", f.name, c.Name)
					}
					if c.Failure != nil {
						failures++
					}
					if c.Skipped != nil {
						skipped++
						if c.Skipped.Message == "" {
							t.Errorf("%s: %s is skipped without a reason", f.name, c.Name)
						}
					}
				}
				if tests += len(s.Cases); s.Tests != len(s.Cases) || s.Skipped != skipped {
					t.Errorf("%s: %d tests and %d skipped, said are %d and %d", f.name, len(s.Cases), skipped, s.Tests, s.Skipped)
				}
			}
			if all.Tests != tests || all.Failures != failures {
				t.Errorf("%s: %d tests and %d failures, said are %d and %d", f.name, tests, failures, all.Tests, all.Failures)
			}
		}
	}
}
