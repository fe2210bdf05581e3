package buildkit

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/buildregress/buildregress/detect/dockerfile"
)

// Some programs that build with BuildKit put something in front of the names of
// vertices that is unlike in any two builds: a step so called would never have a history.

// earthlyPrefix is what Earthly puts there: what it knows of the vertex, as JSON in
// base64, an id of its run included.
var earthlyPrefix = regexp.MustCompile(`^\[(eyJ[A-Za-z0-9+/]+={0,2})\] `)

// withoutSalt is the name without that, and tells whether there was any: Earthly's
// "[eyJ0aWQiOi…] RUN make" is "[+build] RUN make".
func withoutSalt(name string) (plain string, salted bool) {
	m := earthlyPrefix.FindStringSubmatch(name)
	if m == nil {
		return withoutSaltedWords(name)
	}
	text, err := base64.StdEncoding.DecodeString(m[1])
	if err != nil {
		return name, false
	}
	var known struct {
		Target   string `json:"tnm"`
		Platform string `json:"plt"`
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return name, false
	}
	stage := strings.Join(strings.Fields(known.Platform+" "+known.Target), " ")
	if stage == "" || strings.ContainsAny(stage, "[]") {
		stage = "earthly"
	}
	return "[" + stage + "] " + name[len(m[0]):], true
}

// withoutSaltedWords leaves out the words in brackets in front of a name that are
// digests or UUIDs alone.
func withoutSaltedWords(name string) (plain string, salted bool) {
	end := strings.IndexByte(name, ']')
	if !strings.HasPrefix(name, "[") || end < 0 {
		return name, false
	}
	words := strings.Fields(name[1:end])
	kept := words[:0:0]
	for _, word := range words {
		if !dockerfile.IsSalt(word) {
			kept = append(kept, word)
		}
	}
	if len(kept) == len(words) || len(kept) == 0 {
		return name, false
	}
	return "[" + strings.Join(kept, " ") + name[end:], true
}
