package buildkit

import (
	"strings"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/fetch"
)

// lastLines splits what a step printed, and returns its end. It is redacted before
// it is split: a key that goes over several lines shows in none of them alone.
func lastLines(log []byte) []string {
	text := redact.Text(strings.ToValidUTF8(string(log), "\uFFFD"))
	var lines []string
	for line := range strings.Lines(text) {
		// A carriage return takes the cursor back: what follows overwrites.
		line = strings.TrimRight(line, "\r\n")
		if i := strings.LastIndexByte(line, '\r'); i >= 0 {
			line = line[i+1:]
		}
		if line = strings.TrimRight(line, " \t"); line != "" {
			lines = append(lines, line)
		}
	}
	lines = lines[max(0, len(lines)-MaxLogLines):]
	for i, line := range lines {
		lines[i] = fetch.Cut(line, MaxLogLine)
	}
	return lines
}
