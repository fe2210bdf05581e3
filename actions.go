package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/report"
)

// annotate writes annotations as commands into the log of the job. The runner
// takes them from standard error as well, where they are in nobody's way.
func (t *poster) annotate(annotations []report.Annotation, checked bool) {
	switch plan := t.plan.annotations; {
	case plan == never, plan == "auto" && (checked || !env(t.w.env).any("GITHUB_ACTIONS")):
		return
	}
	if err := report.Commands(t.w.stderr, annotations); err != nil {
		t.errs = append(t.errs, err)
	}
}

// maxJobSummary is what GitHub takes from one step of a job, in bytes; of more it
// takes nothing.
const maxJobSummary = 1 << 20

// summarise adds the report to the summary of the job.
func (t *poster) summarise() {
	const what = "no job summary"
	path := t.w.env("GITHUB_STEP_SUMMARY")
	switch plan := t.plan.summary; {
	case plan == never, plan == "auto" && path == "":
		return
	case path == "":
		t.undone(plan, what, errors.New("GITHUB_STEP_SUMMARY is not set"))
		return
	}
	const least = 4000
	room := maxJobSummary - 1000
	if info, err := os.Stat(path); err == nil {
		room -= int(min(info.Size(), maxJobSummary))
	}
	if room < least {
		t.undone(t.plan.summary, what, errors.New("what the step has written already fills it"))
		return
	}
	if err := appendFile(path, []byte(report.MarkdownWithin(t.report, room)+"\n")); err != nil {
		t.undone(t.plan.summary, what, err)
	}
}

// outputs sets the outputs of the step, for the steps after it.
func (t *poster) outputs(comment string, files []outputFile) {
	path := t.w.env("GITHUB_OUTPUT")
	if path == "" {
		return
	}
	var document string
	for _, f := range files {
		if f.format == "json" {
			document = f.path
		}
	}
	var b bytes.Buffer
	for _, o := range []struct{ name, value string }{
		{"verdict", t.report.Verdict.String()},
		{"regressions", strconv.Itoa(regressions(t.report))},
		{"report-json", document},
		{"comment-url", comment},
	} {
		// Nobody can write a line that ends the value before its end.
		end := "end-" + rand.Text()
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.name, end, strings.TrimRight(o.value, "\r\n"), end)
	}
	if err := appendFile(path, b.Bytes()); err != nil {
		t.w.say("warning", fmt.Sprintf("no outputs of the step: %v", outputError{path, err}))
	}
}

// regressions are the steps and builds that are slower, or over their budgets.
func regressions(r *detect.Report) (n int) {
	for i := range r.Results {
		result := &r.Results[i]
		for j := range result.Steps {
			if s := result.Steps[j].Status; s == detect.StatusSlower || s == detect.StatusOverBudget {
				n++
			}
		}
		if result.OverBudget != "" {
			n++
		}
	}
	return n
}

// appendFile adds to a file that the runner made.
func appendFile(path string, data []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "append", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
