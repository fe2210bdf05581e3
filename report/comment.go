package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A pull request has one comment for all pipelines of a workflow: of one of them its report,
// of several a line each, the worst first, with the reports folded below. Jobs that know
// nothing of each other write it: each reads what is there, puts its own part in, and leaves
// those of the others. What it has to know of them stands in a first line that people do not
// see.

// A Comment is what a pull request is to be told.
type Comment struct {
	Group   string // of the pipelines that share a comment: the workflow
	Parts   []Part
	Create  bool   // make a comment where there is none; else only one that is there is edited
	Address string // of the summaries of the jobs, "" for none
}

// A Part of a comment tells of the builds of a pipeline.
type Part struct {
	Pipelines []string         // those that it speaks for: several, of a bake that was judged as one build
	Began     time.Time        // start of the newest build: of a pipeline, what began later has the last word
	Verdict   detect.Verdict   // the worst
	Lost      bool             // each build now pays for a lost cache
	Settled   bool             // a build was judged and passed, so that what was found before is gone
	Meek      bool             // it does not know whether what was said before still holds, and leaves it
	Cost      timeline.Seconds // of what was found, in wall clock
	Title     string           // Markdown
	Line      string           // HTML: the pipeline and the title
	Body      string           // Markdown, "" if it was left out

	keys []string // of the pipelines
}

// CommentOptions say how a pull request is told of a report.
type CommentOptions struct {
	Code  Code
	Page  string // address of the report as HTML, "" for none
	Asked bool   // a comment is made of any report
	// Now is the time: a build that says no start, or one that is to come, began then, as
	// nothing after it would count as newer.
	Now   time.Time
	Limit int // of the comment, in bytes
}

// CommentOn is what a report has to say on a pull request: nothing, to begin with, but what
// costs every build from now on. What was said is kept up to date, and resolved by a build
// that was judged and passed. ok is false where nothing is to be said.
func CommentOn(r *detect.Report, o CommentOptions) (c Comment, ok bool) {
	groups := byPipelines(r)
	for i := range groups {
		one := &groups[i]
		p := partOf(one, o.Now)
		p.Settled = p.Verdict == detect.Pass && !p.Lost && !o.Asked
		p.Meek = p.Verdict == detect.Unjudged && !p.Lost && !o.Asked
		c.Create = c.Create || p.Verdict == detect.Regressed || p.Lost
		c.Parts = append(c.Parts, p)
	}
	c.Create = c.Create || o.Asked && len(c.Parts) > 0
	if ok = slices.ContainsFunc(c.Parts, func(p Part) bool { return !p.Meek }); !ok {
		return c, false
	}
	sortParts(c.Parts)
	page := ""
	if to := address(o.Page); to != "" {
		page = "[This report as HTML](<" + to + ">), with the history of each step.\n\n"
	}
	room := o.Limit - len(c.Join(o.Limit)) - len(groups)*len(unfolded+folding+folded+page) - maxAddress
	for i := range c.Parts {
		at := slices.IndexFunc(groups, func(one detect.Report) bool { return slices.Equal(pipelinesOf(&one), c.Parts[i].Pipelines) })
		one := groups[at]
		if i == 0 {
			one.Notes = r.Notes // they concern all
		}
		v := viewOf(&one)
		c.Parts[i].Body = v.bodyWithin(o.Code, room) + page
	}
	return c, true
}

// maxAddress is room for the address of the summaries, and what is said about it.
const maxAddress = 700

// byPipelines are the results of a report, those of each pipeline by themselves.
func byPipelines(r *detect.Report) (groups []detect.Report) {
	at := map[string]int{}
	for i := range r.Results {
		one := detect.Report{Verdict: r.Results[i].Verdict, Results: r.Results[i : i+1 : i+1]}
		name := strings.Join(pipelinesOf(&one), "\x00")
		k, known := at[name]
		if !known {
			at[name] = len(groups)
			groups = append(groups, one)
			continue
		}
		g := &groups[k]
		g.Results = append(g.Results, r.Results[i])
		if r.Results[i].Verdict.Severity() > g.Verdict.Severity() {
			g.Verdict = r.Results[i].Verdict
		}
	}
	return groups
}

// partOf tells of the builds of one pipeline, but for the body.
func partOf(r *detect.Report, now time.Time) Part {
	p := Part{Pipelines: pipelinesOf(r), Verdict: r.Verdict}
	for i := range r.Results {
		result := &r.Results[i]
		if result.Build.Start.After(p.Began) {
			p.Began = result.Build.Start
		}
		p.Cost += max(costOf(result, detect.StatusSlower, detect.StatusOverBudget), 0)
		for k := range result.Cache.Losses {
			if loss := &result.Cache.Losses[k]; loss.Lasting {
				p.Lost = true
				p.Cost += max(lossCost(result, loss), 0)
			}
		}
	}
	if p.Began.IsZero() || p.Began.After(now) {
		p.Began = now
	}
	v := viewOf(r)
	title := v.title()
	p.Title = inline(title)
	name := htmlCode(cmp.Or(v.results[0].pipeline, "build"), maxCellName)
	if p.Verdict == detect.Regressed || p.Lost {
		p.Line = name + " <b>" + htmlInline(title) + "</b>"
	} else {
		p.Line = name + " " + htmlInline(title)
	}
	return p
}

// htmlInline writes a line for the HTML within Markdown.
func htmlInline(l line) string {
	var b strings.Builder
	for _, s := range l {
		if s.code {
			b.WriteString(htmlCode(s.text, maxCellName))
		} else {
			b.WriteString(unlinked(s.text, html.EscapeString))
		}
	}
	return b.String()
}

func htmlCode(text string, width int) string {
	return "<code>" + html.EscapeString(cut(text, width)) + "</code>"
}

// sortParts puts the worst first.
func sortParts(parts []Part) {
	rank := func(p Part) int {
		n := 2 * p.Verdict.Severity()
		if p.Lost {
			n = max(n, 2*detect.Regressed.Severity()-1)
		}
		return n
	}
	slices.SortStableFunc(parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.Line, b.Line))
	})
}

// maxParts is how many pipelines a comment tells of: as many as a matrix has jobs at most.
const maxParts = 256

// Join is the comment that says c, and all that is said in bodies of it that is no older, in
// at most limit bytes: reports go first, those of the best builds before the others, then the
// lines of the best, and that they did is said.
func (c *Comment) Join(limit int, bodies ...string) string {
	parts := c.joined(bodies)
	text := c.write(parts, len(parts))
	for i := len(parts) - 1; i >= 0 && len(parts) > 1 && len(text) > limit; i-- {
		parts[i].Body = ""
		text = c.write(parts, len(parts))
	}
	for n := len(parts) - 1; n > 0 && len(text) > limit; n-- {
		text = c.write(parts, n)
	}
	return text
}

// joined are the parts of c and of bodies, of each pipeline the newest.
func (c *Comment) joined(bodies []string) (parts []Part) {
	var all, meek []Part
	for _, p := range c.Parts {
		if p.keys = keysOf(p.Pipelines); p.Meek {
			meek = append(meek, p)
		} else {
			all = append(all, p)
		}
	}
	for _, body := range bodies {
		all = append(all, c.read(body)...)
	}
	slices.SortStableFunc(all, func(a, b Part) int { return b.Began.Compare(a.Began) })
	for _, p := range append(all, meek...) {
		if !slices.ContainsFunc(parts, p.isOf) {
			parts = append(parts, p)
		}
	}
	sortParts(parts)
	return parts[:min(len(parts), maxParts)]
}

// isOf tells whether two parts have a pipeline in common.
func (p Part) isOf(q Part) bool {
	return slices.ContainsFunc(p.keys, func(k string) bool { return slices.Contains(q.keys, k) })
}

// Stands tells whether body says all that c does, or what is newer.
func (c *Comment) Stands(body string) bool {
	there := c.read(body)
	for _, p := range c.Parts {
		p.keys = keysOf(p.Pipelines)
		said := func(q Part) bool { return p.isOf(q) && !q.Began.Before(p.Began.Truncate(time.Second)) }
		if !p.Meek && !slices.ContainsFunc(there, said) && len(there) < maxParts {
			return false
		}
	}
	return true
}

// IsIn tells whether body is that of a comment of c's group.
func (c *Comment) IsIn(body string) bool { return strings.HasPrefix(body, c.mark()) }

// mark is what the comments of a group begin with, and no others.
func (c *Comment) mark() string { return "<!-- buildregress " + keysOf([]string{c.Group})[0] + " " }

// A partState is what a comment says of a part in its first line.
type partState struct {
	Keys    []string `json:"k"`
	Began   int64    `json:"b"` // in seconds
	Verdict string   `json:"v"`
	Lost    bool     `json:"x,omitempty"`
	Settled bool     `json:"s,omitempty"`
	Meek    bool     `json:"m,omitempty"`
	Cost    int64    `json:"c,omitempty"` // in milliseconds
	Title   string   `json:"t"`
	Line    string   `json:"l"`
}

const (
	unfolded = "<details><summary>"
	folding  = "</summary>\n\n"
	folded   = "</details>"
)

// write writes the first n of parts, which are sorted.
func (c *Comment) write(parts []Part, n int) string {
	title, left := titleOf(parts), len(parts)-n
	parts = parts[:n]
	var states []partState
	sum := sha256.New()
	for i := range parts {
		p := &parts[i]
		states = append(states, partState{
			Keys: p.keys, Began: p.Began.Unix(), Verdict: p.Verdict.String(), Lost: p.Lost, Settled: p.Settled, Meek: p.Meek,
			Cost: p.Cost.D().Milliseconds(), Title: p.Title, Line: p.Line,
		})
		sum.Write([]byte(p.Line + "\x00" + p.Body + "\x00"))
	}
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false) // it stands in base64
	_ = encoder.Encode(states)   // of texts and numbers
	// No part can hold what tells them apart: it is made of all of them.
	between := fmt.Sprintf("%x", sum.Sum(nil))[:32]
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s %s -->\n", c.mark(), between, base64.StdEncoding.EncodeToString(data.Bytes()))
	whole := "[The whole report](%s) is the summary of the job that posted this."
	switch {
	case len(parts) == 1 && left == 0 && parts[0].Settled:
		b.WriteString("### " + settled + "\n\n" + unfolded + "The build that shows it" + folding + "### " + parts[0].Title + "\n\n" + parts[0].Body + folded + "\n\n")
	case len(parts) == 1 && left == 0:
		b.WriteString("### " + parts[0].Title + "\n\n" + parts[0].Body)
	default:
		whole = "[The whole reports](%s) are the summaries of the jobs that posted this."
		b.WriteString("### " + title + "\n\n")
		writeFolded(&b, parts, "<!-- "+between+" -->\n")
	}
	if left > 0 {
		b.WriteString(Count(left, "more build") + " left out here: a comment is limited in size.\n\n")
	}
	b.WriteString(signature)
	if c.Address != "" {
		fmt.Fprintf(&b, "\n<sub>"+whole+"</sub>\n", c.Address)
	}
	return b.String()
}

// writeFolded writes a line for each part, with its report folded below.
func writeFolded(b *strings.Builder, parts []Part, between string) {
	untold := 0
	for i := range parts {
		p := &parts[i]
		b.WriteString(between)
		if p.Body == "" {
			untold++
			b.WriteString("<p>" + p.Line + "</p>\n\n")
		} else {
			b.WriteString(unfolded + p.Line + folding + p.Body + folded + "\n\n")
		}
	}
	b.WriteString(between)
	if untold > 0 {
		b.WriteString("The " + verb(untold, "report", "reports") + " on " + Count(untold, "build") + verb(untold, " is", " are") + " left out here: a comment is limited in size.\n\n")
	}
}

// settled is the title of a comment whose findings are gone.
const settled = "Resolved: what was found here is gone"

// titleOf says how many builds got which verdict.
func titleOf(parts []Part) string {
	if !slices.ContainsFunc(parts, func(p Part) bool { return !p.Settled }) {
		return settled
	}
	var words []string
	lost := 0
	for _, verdict := range slices.Backward(detect.Verdicts()) {
		n := 0
		for i := range parts {
			switch p := &parts[i]; {
			case p.Verdict != verdict:
			case p.Lost && verdict != detect.Regressed:
				lost++
			default:
				n++
			}
		}
		if n > 0 {
			words = append(words, Count(n, "build")+" "+verdictWords[verdict])
		}
	}
	if lost > 0 {
		at := 0
		if len(words) > 0 && strings.HasSuffix(words[0], verdictWords[detect.Regressed]) {
			at = 1
		}
		words = slices.Insert(words, at, Count(lost, "build")+" lost "+verb(lost, "its", "their")+" cache")
	}
	return strings.Join(words, ", ")
}

// Bounds of what is read back of a comment, which others may have edited.
const (
	maxState    = 64 << 10 // of the first line, in bytes
	maxPartLine = 16 << 10
	maxKeys     = 50 // of a part: one of more pipelines is known by the first of them
)

var (
	stated = regexp.MustCompile(`^[0-9a-f]{16} ([0-9a-f]{32}) ([A-Za-z0-9+/]+=*) -->\n`)
	keyed  = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// read reads the parts of a comment of c's group back. What is damaged is left out.
func (c *Comment) read(body string) (parts []Part) {
	if !c.IsIn(body) || len(body) > 4*maxState {
		return nil
	}
	body = strings.ReplaceAll(body, "\r\n", "\n") // as an editor of the web leaves it
	rest := strings.TrimPrefix(body, "<!-- buildregress ")
	found := stated.FindStringSubmatch(rest)
	if found == nil || len(found[2]) > maxState {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(found[2])
	if err != nil {
		return nil
	}
	var states []partState
	if err := json.Unmarshal(data, &states); err != nil || len(states) > maxParts {
		return nil
	}
	text := rest[len(found[0]):]
	if end := strings.LastIndex(text, signatureStart); end >= 0 {
		text = text[:end]
	}
	sections := strings.Split(text, "<!-- "+found[1]+" -->\n")
	for i := range states {
		s := &states[i]
		p := Part{
			keys: s.Keys, Began: time.Unix(s.Began, 0).UTC(), Lost: s.Lost, Settled: s.Settled, Meek: s.Meek,
			Cost: timeline.Seconds(time.Duration(s.Cost) * time.Millisecond), Title: s.Title, Line: s.Line,
		}
		if err := p.Verdict.UnmarshalText([]byte(s.Verdict)); err != nil || !p.isSound() {
			continue
		}
		switch {
		case len(states) == 1 && len(sections) == 1:
			_, p.Body, _ = strings.Cut(sections[0], "\n\n")
			if p.Settled {
				_, p.Body, _ = strings.Cut(unfoldedBody(p.Body), "\n\n")
			}
		case i+1 < len(sections):
			p.Body = unfoldedBody(sections[i+1])
		}
		parts = append(parts, p)
	}
	return parts
}

// isSound tells whether what was read back can be what was written.
func (p *Part) isSound() bool {
	for _, text := range []string{p.Title, p.Line} {
		if text == "" || len(text) > maxPartLine || strings.ContainsAny(text, "\r\n") {
			return false
		}
	}
	return len(p.keys) > 0 && len(p.keys) <= maxKeys && !slices.ContainsFunc(p.keys, func(k string) bool { return !keyed.MatchString(k) })
}

// unfoldedBody is what stands in a section that is folded, "" for nothing.
func unfoldedBody(section string) string {
	_, body, ok := strings.Cut(section, folding)
	end := strings.LastIndex(body, folded)
	if !strings.HasPrefix(section, unfolded) || !ok || end < 0 {
		return ""
	}
	return body[:end]
}

// keysOf are short names for pipelines, in which nothing can come alive.
func keysOf(pipelines []string) (keys []string) {
	for _, name := range pipelines {
		keys = append(keys, fmt.Sprintf("%x", sha256.Sum256([]byte(name)))[:16])
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	return keys[:min(len(keys), maxKeys)]
}
