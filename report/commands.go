package report

import (
	"fmt"
	"io"
	"strings"
)

// GitHub's runner takes annotations from the log of a step, as lines that it obeys.

// maxCommands is how many annotations of one level GitHub takes from a step of a
// workflow; it drops the others in silence.
const maxCommands = 10

// Commands writes annotations as workflow commands, which GitHub's runner takes
// from the log of a step. How many were left out stands in a last line, which is
// for people.
func Commands(w io.Writer, annotations []Annotation) error {
	var b strings.Builder
	written := map[Level]int{}
	left := 0
	for _, a := range annotations {
		if written[a.Level]++; written[a.Level] > maxCommands {
			left++
			continue
		}
		fmt.Fprintf(&b, "::%s file=%s,line=%d,title=%s::%s\n",
			[]string{"notice", "warning", "error"}[a.Level], propertyText.Replace(a.File), a.Line, propertyText.Replace(a.Title), messageText.Replace(a.Message))
	}
	if left > 0 {
		fmt.Fprintf(&b, "%s not annotated: GitHub takes %d of a kind. See the report.\n", Count(left, "more finding"), maxCommands)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var (
	messageText  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyText = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
