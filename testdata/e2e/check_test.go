package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A report is what is looked at of a JSON report.
type report struct {
	Verdict  string
	ExitCode int `json:"exit_code"`
	Notes    []note
	Results  []struct {
		Reason note
		Build  struct {
			Outcome    string
			FailedStep string `json:"failed_step"`
		}
		Baseline struct{ Builds, Filled int }
		Cache    struct {
			Losses []struct{ Step string }
		}
		WallClock struct {
			Parts []struct {
				Cause, Step string
				Seconds     float64
			}
		} `json:"wall_clock"`
		Steps []struct {
			Key, Name, Status string
			Reason            note
			Current           float64 `json:"current_seconds"`
			Usual             float64 `json:"usual_seconds"`
			Source            struct{ Line int }
		}
		Notes []note
	}
}

type note struct{ Kind, Text string }

// A source is a way to judge a build.
type source struct {
	name string
	args func(*build) []string // SOURCE and what there is to say to it
	// past says where its history comes from.
	past past
	// store is the name of the store that checks use.
	store string
	lines bool // it knows the lines of the Dockerfile
}

// past is where a history comes from.
type past int

const (
	checked  past = iota // builds of main are judged, which records them
	recorded             // builds of main are recorded
	itself               // the source is its own history
)

// byRevision is the build that Jaeger is asked for by its commit.
const byRevision = "unchanged, again"

// sources are all ways to judge a build of the stack.
func (s *stack) sources() []source {
	return []source{
		{
			name: "jaeger://", store: "jaeger", past: itself,
			args: func(b *build) []string {
				if b.name == byRevision {
					return []string{"jaeger://" + s.grpc, "--revision", b.revision}
				}
				return []string{"jaeger://" + s.grpc, "--trace-id", b.traceID}
			},
		},
		{
			name: "jaeger+http://", store: "jaeger-http", past: itself,
			args: func(b *build) []string { return []string{"jaeger+http://" + s.http, "--run-id", b.runID} },
		},
		{
			name: "buildx:", store: "buildx", past: checked, lines: true,
			args: func(b *build) []string { return []string{"buildx:" + b.ref} },
		},
		{
			name: "record", store: "record", past: recorded, lines: true,
			args: func(b *build) []string { return []string{b.record} },
		},
		{
			name: "progress log", store: "progress", past: recorded,
			args: func(b *build) []string {
				return []string{b.progress, "--pipeline", b.pipeline, "--branch", b.branch, "--revision", b.revision}
			},
		},
	}
}

// storeFlag names a store.
func (s *stack) storeFlag(name string) string {
	return "--store=sqlite:" + filepath.Join(s.dir, name+".db")
}

// minDelta is what a team would say whose steps take a second or two: on a machine
// of two busy cores any of them takes a second more now and then. What is made
// slower here is so by twice as much.
const minDelta = "3s"

// check judges a build in a source.
func (s *stack) check(t *testing.T, from source, b *build, flags ...string) report {
	t.Helper()
	args := append([]string{s.binary, "check", "--format", "json", "--base-branch", "main", "--min-delta", minDelta}, flags...)
	args = append(append(args, s.storeFlag(from.store)), from.args(b)...)
	stdout, stderr, err := s.try(s.ctx, s.dir, nil, args...)
	var r report
	if decoded := json.Unmarshal([]byte(stdout), &r); decoded != nil || exitCode(err) != r.ExitCode || len(r.Results) != 1 {
		t.Fatalf("%s: %v, %d results, %v\n%s", strings.Join(args, " "), err, len(r.Results), decoded, stderr)
	}
	return r
}

// String is what there is to say of a report, for messages.
func (r report) String() string {
	one := r.Results[0]
	text := fmt.Sprintf("%s %s against %d builds (%d of other branches), %s\n", one.Build.Outcome, r.Verdict, one.Baseline.Builds, one.Baseline.Filled, one.Reason.Text)
	for _, step := range one.Steps {
		text += fmt.Sprintf("%-10s %6.2f s, usually %6.2f s  %s  %s\n", step.Status, step.Current, step.Usual, step.Key, step.Reason.Text)
	}
	return text + fmt.Sprint(append(r.Notes, one.Notes...))
}

// A finding is what was found of a build, in steps as the sources call them alike.
type finding struct {
	verdict string
	outcome string   // if the build was no success
	failed  string   // the step at which it failed
	slower  []string // steps that are, or may be
	lost    []string // first steps of the chains that lost their cache
	added   []string // new steps
}

// find reads a finding out of a report.
func find(r report) finding {
	f := finding{verdict: r.Verdict}
	one := r.Results[0]
	for _, step := range one.Steps {
		switch step.Status {
		case "slower", "suspect", "over-budget":
			f.slower = append(f.slower, call(step.Key))
		case "new":
			f.added = append(f.added, call(step.Key))
		}
	}
	for _, loss := range one.Cache.Losses {
		f.lost = append(f.lost, call(loss.Step))
	}
	if one.Build.Outcome != "ok" {
		f.outcome = one.Build.Outcome
	}
	if one.Build.Outcome == "failed" {
		f.failed = call(one.Build.FailedStep)
	}
	return f
}

// call is the short name of a step: what only it says, else all of it.
func call(key string) string {
	for _, known := range []string{"deps", "compile", "test"} {
		if strings.Contains(key, "source=work/"+known+",") {
			return known
		}
	}
	if strings.HasPrefix(key, "[push]") {
		return "push"
	}
	return key
}

// lineOf is where the source says that a step stands.
func lineOf(r report, step string) int {
	for _, s := range r.Results[0].Steps {
		if call(s.Key) == step {
			return s.Source.Line
		}
	}
	return 0
}

func (f finding) equal(g finding) bool {
	return f.verdict == g.verdict && f.outcome == g.outcome && f.failed == g.failed &&
		slices.Equal(f.slower, g.slower) && slices.Equal(f.lost, g.lost) && slices.Equal(f.added, g.added)
}

// String is the finding in a cell of a table.
func (f finding) String() string {
	text := f.verdict
	if f.outcome != "" {
		text += ", " + f.outcome
	}
	if f.failed != "" {
		text += " at " + f.failed
	}
	for _, part := range []struct {
		name  string
		steps []string
	}{{"slower", f.slower}, {"cache lost", f.lost}, {"new", f.added}} {
		if len(part.steps) > 0 {
			text += fmt.Sprintf(", %s: %s", part.name, strings.Join(part.steps, " and "))
		}
	}
	return text
}
