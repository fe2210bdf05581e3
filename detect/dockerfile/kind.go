package dockerfile

import (
	"regexp"
	"strings"
)

var (
	braces = regexp.MustCompile(`\{[^{}]*\}`)
	digits = regexp.MustCompile(`[0-9]+`)
)

// Kind is what a step does, wherever it does it: steps of one kind are the same instruction
// in another stage or for another platform, or the same job with other values of a matrix.
// It is the key without its stage and platform, without what stands in parentheses or
// braces, and without numbers.
func Kind(key string) string {
	text := key
	if strings.HasPrefix(key, "[") {
		if _, after, found := strings.Cut(key, "] "); found {
			text = after
		}
	}
	text = braces.ReplaceAllString(parentheses.ReplaceAllString(text, ""), "")
	return strings.Join(strings.Fields(digits.ReplaceAllString(text, "0")), " ")
}
