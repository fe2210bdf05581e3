package file

import (
	"path"
	"strings"

	syntax "github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A dockerfile is the text of one, by lines.
type dockerfile struct {
	name   string // path in the repository
	lines  []string
	escape string // character that continues a line
}

func newDockerfile(info sourceInfo, folder string) dockerfile {
	f := dockerfile{name: fetch.Clean(path.Join(folder, info.Filename), buildkit.MaxName)}
	f.lines, f.escape = syntax.Lines(string(info.Data))
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
