package file

import (
	"path"
	"strings"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A dockerfile is the text of one, by lines.
type dockerfile struct {
	name   string // path in the repository
	lines  []string
	escape string // character that continues a line
}

const maxDockerfileLines = 100_000

func newDockerfile(info sourceInfo, folder string) dockerfile {
	f := dockerfile{
		name:   fetch.Clean(path.Join(folder, info.Filename), buildkit.MaxName),
		lines:  strings.SplitN(string(info.Data), "\n", maxDockerfileLines),
		escape: `\`,
	}
	// Directives stand before all else.
	for _, line := range f.lines {
		directive, isComment := strings.CutPrefix(strings.TrimSpace(line), "#")
		key, value, isDirective := strings.Cut(directive, "=")
		if !isComment || !isDirective {
			break
		}
		if strings.EqualFold(strings.TrimSpace(key), "escape") && strings.TrimSpace(value) == "`" {
			f.escape = "`"
		}
	}
	return f
}

// text is what stands in the lines from first to last, counted from 1, written
// as one line: continuations joined, white space folded, comments left out.
func (f dockerfile) text(first, last int) string {
	var words []string
	size := 0
	for n := first; n <= last && n <= len(f.lines) && size < 4*buildkit.MaxName; n++ {
		line := strings.TrimSpace(f.lines[n-1])
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSuffix(line, f.escape)
		size += len(line)
		words = append(words, strings.Fields(line)...)
	}
	return strings.Join(words, " ")
}
