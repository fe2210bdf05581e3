package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// HTML is one file that asks for nothing: no picture, no script and no style but its own. It
// is whole and readable where even these are refused, as by Jenkins: then the attributes of
// the drawings speak, and what only a script can do is not offered. What may run and what may
// be loaded is said in its policy, so that a name that came through the escaping still could
// do nothing. Its words are those of the view that text has.

//go:embed html/page.css
var pageStyle string

//go:embed html/page.js
var pageScript string

//go:embed html/page.tmpl
var pageTemplate string

var page = template.Must(template.New("").Parse(pageTemplate))

// A htmlPage is a page, top to bottom.
type htmlPage struct {
	Title    string
	Sections []htmlSection
	Left     []string // what is not on it, to keep it small

	Style                 template.CSS
	Script                template.JS
	StyleHash, ScriptHash template.HTMLAttr
}

type htmlSection struct {
	ID       string // for links to it
	Headline []htmlSpan
	Tone     string // class of the headline, "" for none
	Intro    [][]htmlSpan
	Log      []string
	Lists    []htmlList
	Track    *htmlTrack
	Tables   []htmlTable
	After    []htmlList
	Outro    [][]htmlSpan
	Data     *courseData // for the script
}

type htmlSpan struct {
	Text, To string
	Code     bool
	Number   bool // of a lasting change, as its line in a chart has it
}

type htmlList struct {
	Title string
	Lines [][]htmlSpan
}

type htmlTable struct {
	Title, Label string
	Folded, Twin bool // closed at first; the numbers of a drawing
	Steps        bool // its rows are steps, and can be filtered
	Notes        []string
	Head         []htmlCell
	Rows         []htmlRow
}

type htmlRow struct {
	Stage, More string // a heading within the table, and Span columns wide
	Span        int
	Cells       []htmlCell
}

type htmlCell struct {
	Text, Class string
	Label       string // what its column is, said where the heads are not shown
	Code        bool
	To          string // an address
	Chart       *htmlChart
	Twin        *htmlTable // the numbers of the chart
	Track       *htmlTrack
}

// A htmlChart is a drawing, and what it shows in words.
type htmlChart struct {
	Label, Class  string
	Width, Height int
	Shapes        []htmlShape
	Paths         []htmlPath
}

// A htmlShape is a rectangle.
type htmlShape struct {
	Class      string
	X, Y, W, H float64
	Opacity    float64 // where the style is refused
}

func (p *htmlPage) write(w io.Writer) error {
	p.complete()
	text, err := p.fitted(maxPage)
	if err != nil {
		return fmt.Errorf("report as HTML: %w", err)
	}
	_, err = w.Write(text)
	return err
}

// complete adds what all pages have.
func (p *htmlPage) complete() {
	p.Style, p.Script = template.CSS(pageStyle), template.JS(pageScript)
	p.StyleHash, p.ScriptHash = hashOf(pageStyle), hashOf(pageScript)
	p.label()
}

// hashOf is the hash of the very bytes between two tags, as a policy has it.
func hashOf(text string) template.HTMLAttr {
	sum := sha256.Sum256([]byte(text))
	return template.HTMLAttr("sha256-" + base64.StdEncoding.EncodeToString(sum[:]))
}

// label says of each number in a table what it is: a phone has no room for the heads. Tables
// that are called alike are told apart.
func (p *htmlPage) label() {
	seen := map[string]int{}
	unique := func(t *htmlTable) {
		if seen[t.Label]++; seen[t.Label] > 1 {
			t.Label = fmt.Sprintf("%s (%d)", t.Label, seen[t.Label])
		}
	}
	for i := range p.Sections {
		for k := range p.Sections[i].Tables {
			t := &p.Sections[i].Tables[k]
			unique(t)
			for _, row := range t.Rows {
				for k := range row.Cells {
					if c := &row.Cells[k]; k < len(t.Head) && c.Chart == nil && c.Track == nil && !c.Code && c.Text != "" {
						c.Label = t.Head[k].Text
					}
					if row.Cells[k].Twin != nil {
						unique(row.Cells[k].Twin)
					}
				}
			}
		}
	}
	p.eachTrack(func(t *htmlTrack) bool { unique(t.Twin); return true })
}

func spans(l line) (out []htmlSpan) {
	for i, s := range l {
		if s.to != "" && i > 1 && l[i-2].to != "" {
			out = append(out, htmlSpan{Text: "· "})
		}
		out = append(out, htmlSpan{Text: s.text, To: cmp.Or(s.to, s.page), Code: s.code || s.commit})
	}
	return out
}

func spansOf(lines ...line) (out [][]htmlSpan) {
	for _, l := range lines {
		if len(l) > 0 {
			out = append(out, spans(l))
		}
	}
	return out
}

func listOfLines(title string, lines []line) []htmlList {
	if len(lines) == 0 {
		return nil
	}
	return []htmlList{{title, spansOf(lines...)}}
}

func heads(titles ...string) (out []htmlCell) {
	for _, t := range titles {
		text, class, _ := strings.Cut(t, "|")
		out = append(out, htmlCell{Text: text, Class: class})
	}
	return out
}
