package redact

import (
	"slices"
	"strings"
)

// nameHints are in every name that isSecretName accepts.
var nameHints = []string{"pass", "pwd", "pw", "pswd", "secret", "token", "key", "auth", "cred", "pat", "header", "sonar"}

// redactNamed masks values whose name says that they are secret: NAME=value,
// "name":"value", Name: value, --name value, ENV NAME value. lower is text in
// lower case.
func redactNamed(text, lower string) string {
	var out strings.Builder
	done := 0 // what of text is in out
	eachNamed(text, lower, func(from, to int) {
		out.WriteString(text[done:from])
		out.WriteString(masked)
		done = to
	})
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// eachNamed finds what redactNamed masks.
func eachNamed(text, lower string, found func(from, to int)) {
	if !slices.ContainsFunc(nameHints, func(hint string) bool { return strings.Contains(lower, hint) }) {
		return
	}
	verb := ""
	for at := 0; at < len(text); {
		if !isNameByte(text[at]) {
			at++
			continue
		}
		n := naming{text: text, start: at, end: at + 1, verb: verb}
		for n.end < len(text) && isNameByte(text[n.end]) {
			n.end++
		}
		verb, at = text[n.start:n.end], n.end
		if from, to := n.value(); to > from {
			found(from, to)
			at = to
		}
	}
}

// isNameByte tells what names are made of, the dashes of flags included.
func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

// A naming is a name in a text, and the name before it.
type naming struct {
	text       string
	start, end int
	verb       string
}

// value is where the secret stands that the name is of; empty if it is of none.
func (n *naming) value() (from, to int) {
	name := n.text[n.start:n.end]
	secret, ends := isSecretName(name)
	if !secret {
		return 0, 0
	}
	from = n.assigned()
	toEnd := false // of the line
	if from < 0 && ends {
		from, toEnd = n.separate(name[0] == '-'), n.verb == "ENV"
	}
	if from < 0 {
		return 0, 0
	}
	if strings.HasSuffix(strings.ToLower(name), "authorization") {
		from += schemeLen(n.text[from:])
	}
	// Before it is looked for an end, which may be far away.
	if rest := strings.TrimLeft(n.text[from:min(len(n.text), from+8)], `\"'`); rest == "" || refers(rest) {
		return 0, 0
	}
	quote, length := valueLen(n.text[from:])
	from += quote
	if toEnd && quote == 0 {
		line, _, _ := strings.Cut(n.text[from:], "\n")
		length = len(line)
	}
	if length == 0 || isHarmless(n.text[from:from+length]) {
		return 0, 0
	}
	return from, from + length
}

// assigned is where the value begins that "=" or ":" gives to the name, -1 if
// neither does.
func (n *naming) assigned() int {
	at := n.end + prefixLen(n.text[n.end:], `\"'`)
	at += prefixLen(n.text[at:], " \t")
	if at == len(n.text) || n.text[at] != '=' && n.text[at] != ':' {
		return -1
	}
	if n.start > 0 && n.text[n.start-1] == '$' {
		return -1 // a comparison with "$NAME"
	}
	after := at + 1
	if n.text[at] == ':' {
		switch {
		case n.start > 0 && n.text[n.start-1] == '/', isTag(n.text[after:]):
			return -1 // a path, or an image
		case n.text[n.start:n.end] == "PASS" && strings.HasPrefix(n.text[after:], " "):
			return -1 // a test
		case strings.HasPrefix(n.text[after:], "-"), strings.HasPrefix(n.text[after:], "="):
			after++ // ${NAME:-value}
		}
	}
	return after + prefixLen(n.text[after:], " \t")
}

// separate is where the value begins that stands after the name, -1 if none can.
func (n *naming) separate(flag bool) int {
	at := n.end
	for gap := 1; gap > 0 && at < len(n.text); at += gap {
		gap = prefixLen(n.text[at:], " \t")
		if gap == 0 && strings.HasPrefix(n.text[at:], "\\\n") {
			gap = 2 // the line goes on
		}
	}
	if flag {
		at += listGap(n.text[at:])
	}
	if at == n.end || at == len(n.text) {
		return -1
	}
	startsWord := isNameByte(n.text[at]) || strings.IndexByte(`"'/*`, n.text[at]) >= 0
	switch {
	case !flag && n.verb != "ENV" && n.verb != "export", flag && n.text[at] == '-', n.verb == "export" && !startsWord:
		return -1
	}
	return at
}

// listGap is how much of text leads from a member of a list to the quote of the next, as
// in ["--password","value"]; 0 if it is no such list.
func listGap(text string) int {
	at := prefixLen(text, `\"'`)
	if at == 0 {
		return 0
	}
	at += prefixLen(text[at:], " \t")
	if at == len(text) || text[at] != ',' {
		return 0
	}
	at++
	at += prefixLen(text[at:], " \t\n")
	if at == len(text) || strings.IndexByte(`\"'`, text[at]) < 0 || strings.HasPrefix(strings.TrimLeft(text[at:min(len(text), at+4)], `\"'`), "-") {
		return 0
	}
	return at
}

// prefixLen is how many bytes of the set text begins with.
func prefixLen(text, set string) int { return len(text) - len(strings.TrimLeft(text, set)) }

// isTag tells what stands behind the colon of an image: a version.
func isTag(text string) bool {
	text = strings.TrimPrefix(text, "v")
	digits := prefixLen(text, "0123456789")
	return strings.HasPrefix(text, "latest") || digits > 0 && digits < len(text) && text[digits] == '.'
}

// schemeLen is how much of a header's value says only what sort the rest is.
func schemeLen(text string) int {
	quote := prefixLen(text, `\"'`)
	const longest = len("negotiate ")
	word, _, found := strings.Cut(text[quote:min(len(text), quote+longest)], " ")
	if !found || !slices.Contains([]string{"bearer", "basic", "token", "digest", "apikey", "negotiate"}, strings.ToLower(word)) {
		return 0
	}
	return quote + len(word) + 1
}

// valueLen is where in text a value begins and how long it is: up to the closing
// quote, if it has one in the line and not too far away, else one word.
func valueLen(text string) (quote, length int) {
	for _, open := range []string{`\"`, `"`, `'`} {
		inner, quoted := strings.CutPrefix(text, open)
		if !quoted {
			continue
		}
		if end := closing(inner, open); end >= 0 {
			return len(open), end
		}
		quote, text = len(open), inner
		break
	}
	length = strings.IndexAny(text, " \t\r\n\"',;&|<>)]}")
	if length < 0 {
		length = len(text)
	}
	return quote, len(strings.TrimRight(text[:length], `\`))
}

// longestQuoted bounds how far a closing quote is looked for: texts may hold very many
// that are never closed.
const longestQuoted = 4 << 10

// closing is where the quote closes that was opened before text, -1 if nowhere near in
// the line.
func closing(text, quote string) int {
	text = text[:min(len(text), longestQuoted)]
	for at := 0; at < len(text) && text[at] != '\n'; at++ {
		if strings.HasPrefix(text[at:], quote) && (quote != `"` || at == 0 || text[at-1] != '\\') {
			return at
		}
	}
	return -1
}
