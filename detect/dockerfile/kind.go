package dockerfile

import "strings"

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
	if !strings.ContainsAny(text, "(){}0123456789") {
		return text // as a key has no white space to fold
	}
	var out strings.Builder
	out.Grow(len(text))
	depth := 0
	var last byte
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '(' || c == '{':
			depth++
			continue
		case (c == ')' || c == '}') && depth > 0:
			depth--
			continue
		case depth > 0:
			continue
		case '0' <= c && c <= '9':
			c = '0'
		}
		if (c == '0' || c == ' ') && c == last {
			continue
		}
		last = c
		out.WriteByte(c)
	}
	return strings.TrimSpace(out.String())
}
