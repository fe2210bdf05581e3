package fetch

import (
	"strings"
	"unicode/utf8"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
)

const cutMark = "…"

// Clean makes text that a build's author controls fit to be stored and shown:
// valid UTF-8, credentials redacted, at most limit bytes.
func Clean(text string, limit int) string {
	// Redaction comes before the final cut, so that no half of a credential is
	// left over, too short to be recognised; the first cut bounds its cost.
	text = Cut(strings.ToValidUTF8(text, "\uFFFD"), 4*limit)
	return Cut(redact.Text(text), limit)
}

// Hide cuts values of secret arguments out of all texts of b.
func Hide(b *timeline.Build, secret *redact.Arguments) {
	secret.Cut(append(b.Origin.Texts(), &b.Error, &b.Pipeline, &b.Image)...)
	for i := range b.Log {
		secret.Cut(&b.Log[i])
	}
	for i := range b.Steps {
		s := &b.Steps[i]
		secret.Cut(&s.Key, &s.Name, &s.Stage, &s.Body, &s.Text, &s.Error)
	}
}

// Cut shortens text to limit bytes, the mark at its end included, never inside a
// rune.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len(cutMark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:max(end, 0)] + cutMark
}
