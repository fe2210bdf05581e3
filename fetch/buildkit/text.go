package buildkit

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/buildregress/buildregress/detect/redact"
)

const cutMark = "…"

// Clean makes text that a build's author controls fit to be stored and shown:
// valid UTF-8, credentials masked, at most limit bytes.
func Clean(text string, limit int) string {
	// Masking comes before the final cut, so that no half of a credential is
	// left over, too short to be recognised; the first cut bounds its cost.
	text = cut(strings.ToValidUTF8(text, "\uFFFD"), 4*limit)
	return cut(redact.Text(text), limit)
}

// cut shortens text to limit bytes, mark included, never inside a rune.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len(cutMark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + cutMark
}

// instant is a time if it can be one of a build, else zero, which is none.
func instant(t time.Time) time.Time {
	t = t.UTC()
	if y := t.Year(); y < 1971 || y > 2200 {
		return time.Time{}
	}
	return t
}

// lastLines splits what a step printed, and returns its end. It is masked before
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
		lines[i] = cut(line, MaxLogLine)
	}
	return lines
}
