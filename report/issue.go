package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
)

// What got slower on the default branch has no pull request to be told on: an issue tells of
// it, once for each slowdown. It is known by a first line that people do not see, which has
// the steps, and the revisions at which they were found slower.

// An Issue is what is to be told of one build of the default branch.
type Issue struct {
	Title string
	Body  string // Markdown, behind the mark

	found []sighting
}

// A sighting is that a step is slower since a revision, or at one; both in short.
type sighting struct{ step, revision string }

// IssuesOn are those that a report on builds of the default branch asks for: of each build
// that regressed by steps that are proven slower. Bodies are at most limit bytes long.
// address is that of the whole report, "" for none.
func IssuesOn(r *detect.Report, in Code, branch, address string, limit int) (issues []Issue) {
	for k := range r.Results {
		result := &r.Results[k]
		if result.Verdict != detect.Regressed || result.Build.Branch != branch || result.Build.PullRequest != "" || result.Build.Revision == "" {
			continue
		}
		var i Issue
		var since string
		for s := range result.Steps {
			step := &result.Steps[s]
			if step.Status != detect.StatusSlower || len(i.found) >= maxSightings {
				continue // of so many steps the first know it again
			}
			name := keysOf([]string{result.Build.Pipeline + "\x00" + step.Key})[0]
			began := cmp.Or(step.Evidence.Since, result.Build.Revision)
			since = cmp.Or(since, began)
			for _, revision := range []string{began, result.Build.Revision} {
				i.found = append(i.found, sighting{name, keysOf([]string{revision})[0]})
			}
		}
		if len(i.found) == 0 {
			continue
		}
		i.found = distinct(i.found)
		one := detect.Report{Verdict: result.Verdict, Results: r.Results[k : k+1 : k+1]}
		v := viewOf(&one)
		name := func(text string) code { return code(strings.ReplaceAll(text, "`", "'")) }
		where := lineOf(name(branch), " since ", commit(strings.ReplaceAll(since, "`", "'")))
		if v.results[0].pipeline != "" {
			where = lineOf(name(v.results[0].pipeline), " on ", where)
		}
		title := lineOf(v.title(), " (", where, ")")
		if i.Title = plain(title, maxTextName); len([]rune(i.Title)) > maxTitle {
			runes := []rune(plain(v.title(), maxTextName)) // a name that is cut off would quote nothing
			i.Title = string(runes[:min(len(runes), maxTitle)])
		}
		foot := "\n<sub>This is told once: close it when it is dealt with, or meant to be so.</sub>\n"
		if address != "" {
			foot = fmt.Sprintf("\n<sub>This is told once: close it when it is dealt with, or meant to be so. [The whole report](%s) is the summary of the job that found it.</sub>\n", address)
		}
		i.Body = MarkdownWithin(&one, in, limit-len(foot)-maxIssueMark) + foot
		issues = append(issues, i)
	}
	return issues
}

const (
	maxTitle     = 250 // characters; GitHub takes 256
	maxSightings = 100
	maxIssueMark = maxSightings*34 + 100
)

// WithMark is the body of the issue with its mark.
func (i *Issue) WithMark() string { return markOf(i.found) + i.Body }

func markOf(found []sighting) string {
	var b strings.Builder
	b.WriteString("<!-- buildregress-slower")
	for _, s := range found[:min(len(found), maxSightings)] {
		b.WriteString(" " + s.step + "/" + s.revision)
	}
	return b.String() + " -->\n"
}

var sighted = regexp.MustCompile(`^<!-- buildregress-slower((?: [0-9a-f]{16}/[0-9a-f]{16})+) -->\r?\n`)

// sightingsIn are those that the issue with a body tells of.
func sightingsIn(body string) (found []sighting) {
	m := sighted.FindStringSubmatch(body)
	if m == nil || len(m[1]) > 10*maxIssueMark {
		return nil
	}
	for text := range strings.FieldsSeq(m[1]) {
		step, revision, _ := strings.Cut(text, "/")
		found = append(found, sighting{step, revision})
	}
	return found
}

// Told are those of i's steps that an issue tells of which is there, with a body: one that is
// open of its steps, whenever they became slower; one that was closed of what was seen at the
// same revisions. after is the body that it is to have then: what its steps were found at now
// is added, so that they are known again.
func (i *Issue) Told(body string, open bool) (steps []string, after string) {
	there := sightingsIn(body)
	for _, s := range i.found {
		if slices.ContainsFunc(there, func(t sighting) bool { return t.step == s.step && (open || t.revision == s.revision) }) {
			steps = append(steps, s.step)
		}
	}
	if len(steps) == 0 {
		return nil, body
	}
	for _, s := range i.found {
		if slices.Contains(steps, s.step) && !slices.Contains(there, s) {
			there = append(there, s)
		}
	}
	return distinct(steps), markOf(firstAndNewest(there)) + body[len(sighted.FindString(body)):]
}

// firstAndNewest are the first sighting of each step, by which it is known however long it lasts,
// and the newest.
func firstAndNewest(all []sighting) (kept []sighting) {
	for n, s := range all {
		isOf := func(t sighting) bool { return t.step == s.step }
		if !slices.ContainsFunc(all[:n], isOf) || !slices.ContainsFunc(all[n+1:], isOf) {
			kept = append(kept, s)
		}
	}
	return kept
}

// IsTold tells whether steps are all that i tells of.
func (i *Issue) IsTold(steps []string) bool {
	return !slices.ContainsFunc(i.found, func(s sighting) bool { return !slices.Contains(steps, s.step) })
}

func distinct[T comparable](values []T) (list []T) {
	for _, v := range values {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}
