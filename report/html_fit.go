package report

import (
	"bytes"
	"errors"
	"fmt"
)

// maxPage is the most bytes of a page: browsers open it at once, and artifacts, mail and
// Pages take it.
const maxPage = 5_000_000

var errTooLarge = errors.New("the page is too large")

// A boundedPage is a page of no more bytes than most.
type boundedPage struct {
	bytes.Buffer
	most int
}

func (b *boundedPage) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.most {
		return 0, errTooLarge
	}
	return b.Buffer.Write(p)
}

// fitted is the page without what has to be left out of it to have no more bytes than most,
// which it says: what is missed least, first.
func (p *htmlPage) fitted(most int) ([]byte, error) {
	next := 0
	for {
		out := boundedPage{most: most}
		err := page.ExecuteTemplate(&out, "page", p)
		if !errors.Is(err, errTooLarge) {
			return out.Bytes(), err
		}
		for left := ""; left == ""; next++ {
			if next < len(omissions) {
				left = omissions[next](p)
			} else if left = p.withoutSections(); left == "" {
				return nil, err
			}
			if left != "" {
				p.Left = append(p.Left, left)
			}
		}
	}
}

// omissions take something away from a page and say what, "" if there was nothing.
var omissions = []func(*htmlPage) string{
	func(p *htmlPage) (left string) {
		for i := range p.Sections {
			if p.Sections[i].Data != nil {
				p.Sections[i].Data, left = nil, "the single builds behind the charts"
			}
		}
		return left
	},
	func(p *htmlPage) (left string) {
		p.eachTrack(func(t *htmlTrack) bool {
			if t.Twin != nil {
				t.Twin, left = nil, "the numbers below the charts"
			}
			return true
		})
		p.eachCell(func(c *htmlCell) {
			if c.Twin != nil {
				c.Twin, left = nil, "the numbers below the charts"
			}
		})
		return left
	},
	func(p *htmlPage) (left string) {
		p.eachTrack(func(t *htmlTrack) bool {
			if t.Small {
				left = "the charts of steps"
			}
			return !t.Small
		})
		return left
	},
	rowsAfter(500), rowsAfter(100), linesAfter(100), rowsAfter(20), linesAfter(10),
}

// eachTrack shows each chart of durations to keep, and takes away those that it does not
// want.
func (p *htmlPage) eachTrack(keep func(*htmlTrack) bool) {
	for i := range p.Sections {
		if s := &p.Sections[i]; s.Track != nil && !keep(s.Track) {
			s.Track = nil
		}
	}
	p.eachCell(func(c *htmlCell) {
		if c.Track != nil && !keep(c.Track) {
			c.Track = nil
		}
	})
}

func (p *htmlPage) eachCell(visit func(*htmlCell)) {
	for i := range p.Sections {
		for _, t := range p.Sections[i].Tables {
			for _, row := range t.Rows {
				for k := range row.Cells {
					visit(&row.Cells[k])
				}
			}
		}
	}
}

func rowsAfter(most int) func(*htmlPage) string {
	return func(p *htmlPage) string {
		left := 0
		for i := range p.Sections {
			for k := range p.Sections[i].Tables {
				t := &p.Sections[i].Tables[k]
				if n := len(t.Rows) - most; n > 0 {
					t.Rows, left = t.Rows[:most], left+n
				}
			}
		}
		if left == 0 {
			return ""
		}
		return fmt.Sprintf("%s after the first %d of each table", Count(left, "row"), most)
	}
}

func linesAfter(most int) func(*htmlPage) string {
	return func(p *htmlPage) string {
		left := 0
		for i := range p.Sections {
			for _, lists := range [][]htmlList{p.Sections[i].Lists, p.Sections[i].After} {
				for k := range lists {
					if n := len(lists[k].Lines) - most; n > 0 {
						lists[k].Lines, left = lists[k].Lines[:most], left+n
					}
				}
			}
		}
		if left == 0 {
			return ""
		}
		return fmt.Sprintf("%s after the first %d of each list", Count(left, "line"), most)
	}
}

// withoutSections takes away the second half of the sections.
func (p *htmlPage) withoutSections() string {
	n := len(p.Sections)
	if n < 2 {
		return ""
	}
	p.Sections = p.Sections[:(n+1)/2]
	return fmt.Sprintf("the last %d of %d sections", n-len(p.Sections), n)
}
