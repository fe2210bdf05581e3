package redact

import (
	"math"
	"strings"
)

// A class is what the part of a token behind its prefix is made of.
type class uint8

const (
	alnum   class = iota // letters and digits
	wordy                // and "_" and "-"
	dotted               // and "."
	base64s              // letters, digits, "+", "/", "=", "_" and "-"
	hex                  // of small letters
	upper                // capitals and digits
)

func (k class) has(c byte) bool {
	switch digit, small, capital := c >= '0' && c <= '9', c >= 'a' && c <= 'z', isUpper(c); k {
	case alnum:
		return digit || small || capital
	case wordy:
		return digit || small || capital || c == '_' || c == '-'
	case dotted:
		return digit || small || capital || c == '_' || c == '-' || c == '.'
	case base64s:
		return digit || small || capital || strings.IndexByte("+/=_-", c) >= 0
	case hex:
		return digit || c >= 'a' && c <= 'f'
	default:
		return digit || capital
	}
}

// A form is how the tokens of a service look: a prefix, and at least so many bytes of a
// class. A wide one is also how other text looks: what is behind the prefix has to look
// like chance as well.
type form struct {
	prefix string
	class  class
	least  int
	wide   bool
}

// formsAt are the forms by the first two bytes of their prefix.
var formsAt = func() map[[2]byte][]form {
	at := map[[2]byte][]form{}
	for _, f := range tokenForms {
		start := [2]byte{f.prefix[0], f.prefix[1]}
		at[start] = append(at[start], f)
	}
	return at
}()

// redactForms masks tokens that are known by their prefix.
func redactForms(text string) string {
	var out strings.Builder
	done := 0
	for at := 0; at+2 < len(text); {
		if at > 0 && (alnum.has(text[at-1]) || text[at-1] == '_') {
			at++
			continue
		}
		end := tokenEnd(text, at)
		if end == 0 {
			at++
			continue
		}
		out.WriteString(text[done:at])
		out.WriteString(masked)
		done, at = end, end
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// tokenEnd is where the token ends that begins at a place of text, 0 if none does.
func tokenEnd(text string, at int) int {
	for _, f := range formsAt[[2]byte{text[at], text[at+1]}] {
		if !strings.HasPrefix(text[at:], f.prefix) || f.wide && at > 0 && text[at-1] == '-' {
			continue
		}
		begin := at + len(f.prefix)
		end := begin
		for end < len(text) && f.class.has(text[end]) {
			end++
		}
		if end-begin >= f.least && (!f.wide || isRandom(text[begin:end])) {
			return end
		}
	}
	return 0
}

// isRandom tells whether text looks like drawn by chance: it has digits among its
// letters, is of many different ones, and its parts between "-" and "_" are longer than
// words are.
func isRandom(text string) bool {
	const (
		leastEntropy = 2.9 // bits a byte; of hexadecimal digits at most 4
		longestWord  = 15
	)
	var counts [256]int
	var digits, letters, run, longest int
	for i := range len(text) {
		c := text[i]
		counts[c]++
		switch {
		case c >= '0' && c <= '9':
			digits++
		case alnum.has(c):
			letters++
		default:
			run = -1
		}
		run++
		longest = max(longest, run)
	}
	if digits == 0 || letters == 0 || longest <= longestWord {
		return false
	}
	entropy := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(text))
			entropy -= p * math.Log2(p)
		}
	}
	return entropy >= leastEntropy
}
