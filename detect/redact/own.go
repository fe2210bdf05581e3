package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// How long a secret of ours is at least to be cut out: shorter ones stand in any text,
// and cutting them out would tell them. Those shorter than leastInside are cut out only
// where they stand as a word of their own.
const (
	leastOwn    = 4
	leastInside = 8
)

// own are the secrets of this process. They are the one thing that this package
// remembers: every text of ours passes it, and none may show them.
var own struct {
	sync.Mutex
	values []string
	cutter atomic.Pointer[cutter]
}

// A cutter cuts known values out of text.
type cutter struct {
	inside *strings.Replacer
	words  *regexp.Regexp // nil for none
}

// Own makes values that this process has to keep secret, such as its tokens, known:
// from then on Exact, Text and Shapes cut them out. Several lines are one value, and
// each of them is. It may be called again for more, and returns those that are too short
// to be cut out of anything.
func Own(values ...string) (short []string) {
	own.Lock()
	defer own.Unlock()
	for _, value := range values {
		value = strings.TrimSpace(value)
		if value == "" || isReference(value) {
			continue
		}
		if len(value) < leastOwn {
			short = append(short, value)
			continue
		}
		for _, v := range append(strings.Split(value, "\n"), value) {
			if v = strings.TrimSpace(v); len(v) >= leastOwn && !slices.Contains(own.values, v) {
				own.values = append(own.values, v)
			}
		}
	}
	if len(own.values) > 0 {
		own.cutter.Store(newCutter(own.values))
	}
	return short
}

// isReference tells values that are written where a secret belongs and are none.
func isReference(value string) bool { return strings.Trim(value, "*") == "" }

// newCutter makes one of values in all the ways in which they are written.
func newCutter(values []string) *cutter {
	var inside, words []string
	for _, value := range values {
		for _, form := range formsOf(value) {
			if len(form) >= leastInside {
				inside = append(inside, form)
			} else if form == value {
				words = append(words, regexp.QuoteMeta(form))
			}
		}
	}
	// The longest goes first: it may hold others.
	slices.SortFunc(inside, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, form := range slices.Compact(inside) {
		pairs = append(pairs, form, masked)
	}
	c := &cutter{inside: strings.NewReplacer(pairs...)}
	if len(words) > 0 {
		c.words = regexp.MustCompile(`(^|[^A-Za-z0-9_])(?:` + strings.Join(words, "|") + `)($|[^A-Za-z0-9_])`)
	}
	return c
}

// formsOf are the ways in which a value may be written: as it is, in an address, in JSON,
// and in base64, as a whole or as a part of something longer.
func formsOf(value string) []string {
	quoted, _ := json.Marshal(value) // strings always marshal
	query, path := url.QueryEscape(value), url.PathEscape(value)
	forms := []string{value, query, path, lowerEscapes(query), lowerEscapes(path), string(quoted[1 : len(quoted)-1])}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			// The first and the last characters hold bits of what stands around it.
			encoded := encoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + value))
			from := [3]int{0, 2, 3}[offset]
			to := len(encoded)
			if (offset+len(value))%3 != 0 {
				to--
			}
			if part := encoded[from:to]; len(part) >= leastInside {
				forms = append(forms, part)
			}
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// lowerEscapes writes "%2F" as "%2f".
func lowerEscapes(text string) string {
	b := []byte(text)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(string(b[i+1:i+3])))
		}
	}
	return string(b)
}

// Exact cuts out what Own was told, and nothing else. It may be applied to whatever is
// written anywhere.
func Exact(text string) string {
	c := own.cutter.Load()
	if c == nil {
		return text
	}
	return c.cut(text)
}

func (c *cutter) cut(text string) string {
	text = c.inside.Replace(text)
	if c.words != nil && c.words.MatchString(text) {
		// Twice: what stands between two of them belongs to both.
		text = c.words.ReplaceAllString(c.words.ReplaceAllString(text, "${1}"+masked+"${2}"), "${1}"+masked+"${2}")
	}
	return text
}
