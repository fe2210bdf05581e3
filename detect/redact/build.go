package redact

import (
	"slices"
	"strings"
)

// Arguments are values that the origin of some text calls secret, by the names of the
// arguments and variables that it gives them to. A builder writes them into the names of
// steps, where nothing tells them.
type Arguments struct {
	values []string
	cutter *cutter
}

// Add takes the value of an argument, if its name says that it is secret.
func (a *Arguments) Add(name, value string) {
	const longest = 4 << 10
	secret, _ := isSecretName(name)
	if secret && len(value) <= longest && value != "" && !isHarmless(value) && !isWord(value) {
		a.add(value)
	}
}

// AddText takes the values that names in a text say to be secret, such as those of
// ARG NAME=VALUE in a Dockerfile.
func (a *Arguments) AddText(text string) {
	eachNamed(text, strings.ToLower(text), func(from, to int) {
		if value := text[from:to]; !isWord(value) {
			a.add(value)
		}
	})
}

// AddPrinted takes the values of build arguments out of what a build printed: those of
// --build-arg NAME=VALUE. Other names in it are not the author's.
func (a *Arguments) AddPrinted(text string) {
	const flag, longest = "--build-arg", 4 << 10
	for {
		_, rest, found := strings.Cut(text, flag)
		if !found {
			return
		}
		text = rest
		rest = strings.TrimLeft(rest[:min(len(rest), longest)], "= \t\"',")
		if end := strings.IndexAny(rest, " \t\r\n"); end >= 0 {
			rest = rest[:end]
		}
		a.AddText(rest)
		text = text[min(len(text), len(rest)):] // each byte is looked at once
	}
}

// AddAll takes those of others.
func (a *Arguments) AddAll(others Arguments) {
	for _, value := range others.values {
		a.add(value)
	}
}

// Clone are the same values, to which others can be added.
func (a *Arguments) Clone() Arguments { return Arguments{slices.Clone(a.values), a.cutter} }

func (a *Arguments) add(value string) {
	const most = 100
	isNumber := len(value) < leastInside && prefixLen(value, "0123456789") == len(value) // which anything may be
	if len(value) >= leastOwn && len(a.values) < most && !isNumber && !slices.Contains(a.values, value) {
		a.values = append(a.values, value)
		a.cutter = nil
	}
}

// isWord tells values that stand in other text as well, with which they have nothing to
// do: the password of a database for tests is mostly its name.
func isWord(value string) bool {
	const longest = 12
	return len(value) <= longest && strings.Trim(value, "abcdefghijklmnopqrstuvwxyz") == ""
}

// Cut cuts the values out of texts.
func (a *Arguments) Cut(texts ...*string) {
	if len(a.values) == 0 {
		return
	}
	if a.cutter == nil {
		a.cutter = newCutter(a.values)
	}
	for _, text := range texts {
		*text = a.cutter.cut(*text)
	}
}
