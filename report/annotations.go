package report

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Findings whose line in a Dockerfile is known are shown beside that line, and so is the
// failure of a build. The path comes
// from whoever wrote the build, so that one outside the repository is dropped.

// A Level is how an annotation is to be shown.
type Level int

const (
	Notice  Level = iota // something to watch
	Warning              // something is slower, and fails nothing
	Failure              // what the check fails on
)

// An Annotation is a finding on a line of a file in the repository. Its texts are
// clean, but not escaped for any format.
type Annotation struct {
	File    string // from the root of the repository, with slashes
	Line    int    // counted from 1
	Level   Level
	Title   string
	Message string
}

// maxMessage bounds an annotation's text, in cells of at most 16 bytes. GitHub takes
// 64 KB; nobody reads as much beside a line of code.
const maxMessage = 4000

// Annotations are the failures and findings whose line in a Dockerfile is known, dearest
// in wall clock first. failing tells whether the check fails.
func Annotations(r *detect.Report, failing bool) []Annotation {
	type costly struct {
		Annotation
		cost timeline.Seconds
	}
	var all []costly
	for i := range r.Results {
		result := &r.Results[i]
		if a, ok := annotatedFailure(result); ok {
			all = append(all, costly{a, 0})
		}
		if result.Build.Outcome != timeline.OK {
			continue
		}
		n := newNames(result)
		for j := range result.Steps {
			s := &result.Steps[j]
			file, ok := inRepository(s.Source.File)
			title := annotated[s.Status]
			if !ok || s.Source.Line <= 0 || title == "" {
				continue
			}
			at := *s
			at.Source = dockerfile.Position{} // it is where the annotation stands
			a := Annotation{File: file, Line: s.Source.Line, Level: Notice, Title: title, Message: plain(slowerLine(&at, n, false), maxSentenceName)}
			if x := ratio(s.Ratio); x != "" {
				a.Title += " " + x
			}
			if s.Status != detect.StatusSuspect {
				a.Level = Warning
				if failing && result.Verdict == detect.Regressed {
					a.Level = Failure
				}
			}
			a.Message = cut(a.Message, maxMessage)
			all = append(all, costly{a, s.WallClockSeconds})
		}
	}
	slices.SortStableFunc(all, func(a, b costly) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(b.cost, a.cost))
	})
	var list []Annotation
	for _, c := range all {
		list = append(list, c.Annotation)
	}
	return list
}

// annotatedFailure is where the build failed, if that is known. It is what somebody has
// to mend first, and nothing that the check fails on.
func annotatedFailure(r *detect.Result) (a Annotation, ok bool) {
	s := failedStep(r)
	if s == nil {
		return a, false
	}
	file, ok := inRepository(s.Source.File)
	if !ok || s.Source.Line <= 0 {
		return a, false
	}
	message := []string{"The build failed."}
	if text := cut(Clean(r.Build.Error), maxSentenceName); text != "" {
		message = append(message, text)
	}
	message = append(message, failureOf(r).log...)
	return Annotation{File: file, Line: s.Source.Line, Level: Warning, Title: "The build failed here", Message: cut(strings.Join(message, "\n"), maxMessage)}, true
}

// annotated are the titles of annotations, by what is the matter with the step.
var annotated = map[detect.Status]string{
	detect.StatusSlower:     "Slower",
	detect.StatusSuspect:    "Looks slower",
	detect.StatusOverBudget: "Over its budget",
}

// inRepository is the path of a file as the repository has it, if it can be one.
func inRepository(file string) (string, bool) {
	const longest = 1000
	clean := path.Clean(strings.ReplaceAll(file, `\`, "/"))
	switch {
	case file == "" || len(file) > longest || Clean(file) != file,
		path.IsAbs(clean), clean == ".", clean == "..", strings.HasPrefix(clean, "../"), strings.Contains(clean, ":"):
		return "", false
	}
	return clean, true
}

// Headline is the verdict on all builds in a line of plain text, clean.
func Headline(r *detect.Report) string {
	v := viewOf(r)
	if len(v.headline) > 0 {
		return plain(v.headline, maxTextName)
	}
	return plain(v.results[0].headline, maxTextName)
}
