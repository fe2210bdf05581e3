// Package causes asks the program why recorded builds are slower, of which that is known.
package causes

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/internal/cli"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
)

// The corpus of causes: recorded builds in which exactly what a label says was changed, see
// README.md. It is judged many hundred times: too often for the race detector.

// run runs buildregress, and returns what it prints.
func run(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(t.Context(), cli.Process{
		Args: args, Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: console.Output{Writer: &out}, Stderr: console.Output{Writer: &errs},
		Clock: clitest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)).Now,
	})
	if code == command.ExitUsage || code == command.ExitTrouble {
		t.Fatalf("buildregress %s: exit code %d\n%s", strings.Join(args, " "), code, &errs)
	}
	return out.String()
}

// A labelled build is one with what was done to it.
type labelledBuild struct {
	Record   string          // path below the corpus
	Project  string          //
	Set      string          // main: history; same: unchanged; changed
	Branch   string          //
	Load     bool            // other processes were busy meanwhile
	Causes   []injectedCause // what was done that makes steps slower
	Innocent []string        // what was done that does not, as a cause would name it
}

// An injectedCause is what makes one step slower.
type injectedCause struct {
	Kind detect.Kind
	Also []detect.Kind // that name it as well
	Step string        // part of its name
	Says string        // what the cause has to name
}

// isNamed tells whether an explanation is what was done.
func (c *injectedCause) isNamed(by *detect.Explanation) bool {
	said := strings.Join(append([]string{by.Text, by.Before, by.After}, by.Evidence...), "\n")
	return (by.Kind == c.Kind || slices.Contains(c.Also, by.Kind)) && strings.Contains(said, c.Says)
}

// isOfMachine tells whether a kind says what the machine did, whatever was changed.
func isOfMachine(kind detect.Kind) bool {
	return slices.Contains([]detect.Kind{detect.KindMachineOverloaded, detect.KindOtherMachine, detect.KindStepStarved, detect.KindStepThrottled, detect.KindStepMemory}, kind)
}

// A corpusProject is a project of the corpus, with its history recorded and its repository
// for a working directory.
type corpusProject struct {
	dir    string
	name   string
	store  string
	labels []labelledBuild
}

// openCorpus records what is history of a project, and makes its repository.
func openCorpus(t *testing.T, dir, name string) *corpusProject {
	t.Helper()
	p := &corpusProject{dir: dir, name: name, store: "sqlite:" + filepath.Join(t.TempDir(), "history.db")}
	f, err := os.Open(filepath.Join(dir, "labels.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	main := []string{"record", "--store", p.store, "--branch", "main", "--pipeline", name}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var l labelledBuild
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Project != name:
		case l.Set == "main":
			main = append(main, filepath.Join(dir, l.Record))
		default:
			p.labels = append(p.labels, l)
		}
	}
	checkout := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("git", "clone", "--quiet", "--no-checkout", filepath.Join(dir, name+".bundle"), checkout).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	t.Chdir(checkout)
	if err := os.WriteFile(".buildregress.yaml", []byte("steps:\n  - step: \"*\"\n    max: 1ms\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, main...)
	return p
}

// check judges a record, or several builds out of it that are in a file. A budget that every
// step exceeds makes each a finding, however much it varies.
func (p *corpusProject) check(t *testing.T, path string, args ...string) []detect.Result {
	t.Helper()
	out := run(t, append([]string{
		"check", "--store", p.store, "--pipeline", p.name, "--base-branch", "main", "--record", "never", "--fail-on", "never",
		"--min-delta", "10ms", "--min-slowdown", "10%", "--format", "json", path,
	}, args...)...)
	r, err := report.ReadJSON(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return r.Results
}

// asked are the causes of each step of a build, by its key, asked as if it were slower: its
// time is doubled, and all that is known stays as it is.
func (p *corpusProject) asked(t *testing.T, l *labelledBuild) map[string][]detect.Explanation {
	t.Helper()
	out := run(t, "record", "--format", "builds", "--pipeline", p.name, "--branch", l.Branch, filepath.Join(p.dir, l.Record))
	list, err := builds.Decode(strings.NewReader(out), "")
	if err != nil || len(list) != 1 {
		t.Fatalf("%d builds, %v", len(list), err)
	}
	var variants []timeline.Build
	var keys []string
	for i, s := range list[0].Steps {
		if s.State != timeline.Executed {
			continue
		}
		v := list[0]
		v.ID, v.Trace, v.Content = fmt.Sprint(v.ID, "-", i), "", ""
		v.Branch = fmt.Sprint(l.Branch, "-", i) // none is evidence of another
		v.Steps = slices.Clone(v.Steps)
		v.Steps[i].Duration *= 2
		variants, keys = append(variants, v), append(keys, s.Key)
	}
	doubled := filepath.Join(t.TempDir(), "doubled.jsonl")
	f, err := os.Create(doubled)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := builds.Encode(f, variants); err != nil {
		t.Fatal(err)
	}
	asked := map[string][]detect.Explanation{}
	for i, r := range p.check(t, doubled) {
		s := &r.Steps[slices.IndexFunc(r.Steps, func(s detect.StepResult) bool { return s.Key == keys[i] })]
		if s.Usual == 0 {
			continue // nothing is slower that never was
		}
		if asked[keys[i]] = s.Causes; len(s.Causes) == 0 {
			t.Errorf("%s: %s: no cause, and it does not say so", l.Record, keys[i])
		}
	}
	return asked
}

// TestCausesOfCorpus holds what is promised of causes, and prints what is named of each
// build.
func TestCausesOfCorpus(t *testing.T) {
	const first, among = 0.90, 0.97 // least parts of the builds in which what was done is named
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "build\tinjected\tstep\tfound\trank\tnamed")
	var of tally
	for _, name := range []string{"shop", "wheel"} {
		t.Run(name, func(t *testing.T) {
			p := openCorpus(t, dir, name)
			for i := range p.labels {
				p.judge(t, &p.labels[i], w, &of)
			}
		})
	}
	w.Flush()
	t.Logf("something was changed in %d builds: it is named first in %d, and among the causes in %d; nothing in %d, of which %d steps were asked about\n%s",
		of.changed, of.first, of.among, of.same, of.asked, &table)
	if float64(of.first) < first*float64(of.changed) || float64(of.among) < among*float64(of.changed) {
		t.Errorf("of %d it is named first in %d and among the causes in %d, want %.0f %% and %.0f %%", of.changed, of.first, of.among, 100*first, 100*among)
	}
}

// A tally counts builds: in which something was changed, and it is named first, or among the
// causes; in which nothing was, and the steps of these that were asked about.
type tally struct{ changed, first, among, same, asked int }

// judge asks why each step of a build is slower, and writes what is named of those that were
// made slower.
func (p *corpusProject) judge(t *testing.T, l *labelledBuild, w io.Writer, of *tally) {
	t.Helper()
	if l.Set == "same" {
		for key, causes := range p.asked(t, l) {
			l.checkInnocent(t, key, causes)
			l.checkSame(t, key, causes)
			of.asked++
		}
		of.same++
		return
	}
	seen := &p.check(t, filepath.Join(p.dir, l.Record), "--branch", l.Branch)[0]
	for i := range seen.Steps {
		l.checkInnocent(t, seen.Steps[i].Key, seen.Steps[i].Causes)
	}
	asked := sync.OnceValue(func() map[string][]detect.Explanation { return p.asked(t, l) })
	of.changed++
	best, all := 0, true
	for i := range l.Causes {
		c := &l.Causes[i]
		rank, found, causes := c.rank(seen, asked)
		if rank > 0 && (best == 0 || rank < best) {
			best = rank
		}
		all = all && rank > 0
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", l.Record, c.Kind, c.Step, found, rank, named(causes))
	}
	if best == 1 {
		of.first++
	}
	if all {
		of.among++
	}
}

// rank is the place of what was done among the causes of its step, from 1, 0 if it is none
// of them: of the step as it was judged, or else asked as if it were slower.
func (c *injectedCause) rank(seen *detect.Result, asked func() map[string][]detect.Explanation) (rank int, found string, causes []detect.Explanation) {
	at := slices.IndexFunc(seen.Steps, func(s detect.StepResult) bool {
		return s.Stage != timeline.StageWait && strings.Contains(s.Name, c.Step)
	})
	if at < 0 {
		return 0, "", nil
	}
	s := &seen.Steps[at]
	lost := slices.IndexFunc(seen.Cache.Losses, func(l detect.CacheLoss) bool { return l.Step == s.Key })
	switch {
	case lost >= 0:
		found, causes = "cache lost", seen.Cache.Losses[lost].Causes
	case s.Usual > 0 && s.Delta > s.Usual/5:
		found, causes = fmt.Sprintf("×%.1f", s.Ratio), s.Causes
	default:
		found, causes = "asked", asked()[s.Key]
	}
	return 1 + slices.IndexFunc(causes, func(e detect.Explanation) bool { return c.isNamed(&e) }), found, causes
}

// named are causes in one line.
func named(causes []detect.Explanation) string {
	texts := make([]string, 0, len(causes))
	for _, c := range causes {
		texts = append(texts, fmt.Sprintf("%s %s: %s", c.Certainty, c.Kind, c.Text))
	}
	return strings.Join(texts, " | ")
}

// checkInnocent makes sure that no cause names what made nothing slower.
func (l *labelledBuild) checkInnocent(t *testing.T, key string, causes []detect.Explanation) {
	t.Helper()
	for _, c := range causes {
		for _, innocent := range l.Innocent {
			if strings.Contains(c.Text+strings.Join(c.Evidence, " "), innocent) {
				t.Errorf("%s: %s: what is innocent is named: %s", l.Record, key, c.Text)
			}
		}
	}
}

// checkSame makes sure that nothing explains a step of a build in which nothing changed, but
// for a machine that was busy.
func (l *labelledBuild) checkSame(t *testing.T, key string, causes []detect.Explanation) {
	t.Helper()
	if l.Load && isOfMachine(causes[0].Kind) {
		causes = slices.DeleteFunc(slices.Clone(causes), func(c detect.Explanation) bool { return isOfMachine(c.Kind) })
	} else if causes[0].Kind != detect.KindNothingRecorded {
		t.Errorf("%s: %s: something explains it first: %s", l.Record, key, named(causes))
	}
	for _, c := range causes {
		if c.Certainty != detect.Possible {
			t.Errorf("%s: %s: nothing changed, and it says %s", l.Record, key, named(causes))
		}
	}
}
