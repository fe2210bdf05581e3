package report

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
)

// A Code is where the web shows the code of a repository: what reports in Markdown name in it
// leads there. No build says it, as none may say where links lead.
type Code struct {
	Repositories []string // names that builds made of it have
	Files        string   // an address that a revision, a path and a line follow
	Commits      string   // an address that a revision follows
}

// pages lead to the code that one build was made of; the zero value leads nowhere.
type pages struct {
	code     Code
	revision string // "" if it is no commit
}

// of leads to the code of a build, if it was made of c.
func (c Code) of(b *detect.BuildInfo) pages {
	isOf := func(name string) bool { return name != "" && strings.EqualFold(name, b.Repository) }
	if !slices.ContainsFunc(c.Repositories, isOf) {
		return pages{}
	}
	p := pages{code: c}
	if commits.MatchString(b.Revision) {
		p.revision = b.Revision
	}
	return p
}

// commit is the address of a revision, "" for none.
func (p pages) commit(revision string) string {
	if p.code.Commits == "" {
		return ""
	}
	return address(p.code.Commits + revision)
}

// line is the address of a line in a file, "" for none.
func (p pages) line(s span) string {
	file, ok := inRepository(s.file)
	if !ok || p.code.Files == "" || p.revision == "" {
		return ""
	}
	to := (&url.URL{Path: p.revision + "/" + file}).EscapedPath()
	if s.line > 0 {
		to += fmt.Sprintf("#L%d", s.line)
	}
	return address(p.code.Files + to)
}
