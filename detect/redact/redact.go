// Package redact cuts credentials out of text before it is stored or shown.
//
// Whatever a build says of itself is written by its author: names of steps hold
// arguments, arguments hold passwords. A secret is told by its own form, such as the
// prefix of a token, or by the name that stands in front of it.
package redact

import (
	"regexp"
	"strings"
)

const masked = "*****"

// A secret is a shape that credentials come in.
type secret struct {
	// hints are lower-case texts of which a secret of this shape holds at least
	// one: looking for them is much cheaper than the pattern is.
	hints   []string
	pattern *regexp.Regexp
	with    string
}

var secrets = []secret{
	// Tokens that are known by their own form.
	{
		[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "npm_", "dckr_pat_", "hf_"},
		regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|npm_[A-Za-z0-9]{20,}|dckr_pat_[\w-]{16,}|hf_[A-Za-z0-9]{16,})`),
		masked,
	},
	{
		[]string{"glpat-", "glptt-", "glcbt-", "glrt-", "gldt-", "gloas-", "glft-", "xox", "pypi-", "sk-"},
		regexp.MustCompile(`\b(?:gl(?:pat|ptt|cbt|rt|dt|oas|ft)-[\w-]{16,}|xox[abeoprs]-[\w-]{10,}|pypi-[\w-]{16,}|sk-[\w-]{20,})`),
		masked,
	},
	{
		[]string{"aiza", "ya29.", "hvs.", "eyj"},
		regexp.MustCompile(`\b(?:AIza[\w-]{30,}|ya29\.[\w.-]{16,}|hvs\.[\w-]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)`),
		masked,
	},
	{
		[]string{"akia", "asia", "agpa", "aroa", "aida"},
		regexp.MustCompile(`\b(?:AKIA|ASIA|AGPA|AROA|AIDA)[A-Z0-9]{12,}\b`),
		masked,
	},
	{
		[]string{"private key-----"},
		regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`),
		masked,
	},
	{
		// What is left of a key whose begin was cut off.
		[]string{"private key-----"},
		regexp.MustCompile(`(?:[A-Za-z0-9+/=]{16,}\s+)+-----END [A-Z ]*PRIVATE KEY-----`),
		masked,
	},
	{
		[]string{"sk_", "rk_", "sg."},
		regexp.MustCompile(`\b(?:[sr]k_(?:live|test)_[A-Za-z0-9]{8,}|SG\.[\w-]{8,}\.[\w-]{8,})`),
		masked,
	},
	// Addresses that are a credential.
	{
		[]string{"hooks.slack.com/", "/api/webhooks/"},
		regexp.MustCompile(`(hooks\.slack\.com/\w+/|discord(?:app)?\.com/api/webhooks/)[^\s"'<>]+`),
		"${1}" + masked,
	},
	{
		[]string{"sig=", "signature="},
		regexp.MustCompile(`(?i)([?&](?:sig|(?:[\w-]+-)?signature)=)[^\s"'&#<>$]+`),
		"${1}" + masked,
	},
}

// ambiguous are shapes that sentences of our own may have as well, such as "basic
// authentication": only in foreign text are they secrets.
var ambiguous = []secret{
	{
		[]string{"bearer", "basic"},
		regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9+/_.~=-]{12,}`),
		"${1}" + masked,
	},
	// Flags of programs that take a password by one letter.
	{
		[]string{"login", "sshpass", "twine"},
		regexp.MustCompile(`(\b(?:(?:login|twine)\s(?:[^|;&\n]*?\s)?-p(?:\s+|=)|sshpass\s+-p\s*))(?:"[^"$\n][^"\n]*"|'[^'\n]+'|[^\s"'$|;&-][^\s"'|;&]*)`),
		"${1}" + masked,
	},
	{
		[]string{"mysql", "mariadb"},
		regexp.MustCompile(`(\b(?:mysql|mariadb)[\w-]*\b[^|;&\n]*?\s-p)[^\s"'$|;&][^\s"'|;&]*`),
		"${1}" + masked,
	},
	{
		[]string{"curl"},
		regexp.MustCompile(`(\bcurl\b[^|;&\n]*?\s(?:-u|-U|--user|--proxy-user)(?:\s+|=)?["']?)[^\s"'$:|;&]*:[^\s"'$|;&][^\s"'|;&]*`),
		"${1}" + masked,
	},
}

// Text replaces whatever in text looks like a credential by asterisks. It is
// applied to all that a build's author controls before it is stored or shown.
// It cannot know every form: a secret without any is not recognised.
func Text(text string) string {
	lower := strings.ToLower(text)
	return redactNamed(redactShapes(redactShapes(text, lower, secrets), lower, ambiguous), lower)
}

// Shapes replaces only what is a credential by its own form alone, such as a token or
// the login in an address. No sentence of ours holds one: it may be applied to a whole
// message, in which foreign text has passed Text before.
func Shapes(text string) string { return redactShapes(text, strings.ToLower(text), secrets) }

// redactShapes masks secrets of known shapes, and the logins in addresses. lower is text
// in lower case.
func redactShapes(text, lower string, shapes []secret) string {
	for i := range shapes {
		if s := &shapes[i]; s.hinted(lower) {
			text = s.pattern.ReplaceAllString(text, s.with)
		}
	}
	if strings.Contains(text, "://") {
		text = userinfo.ReplaceAllStringFunc(text, redactUserinfo)
	}
	return text
}

// userinfo is an address up to the last "@": a password may hold "@" and "/".
var userinfo = regexp.MustCompile(`\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>]*@(?:sha\d+:)?`)

// redactUserinfo masks what stands before the host. In "localhost:5000/a@sha256:…"
// and in "host/@scope/name" nothing does.
func redactUserinfo(address string) string {
	if last := strings.LastIndexByte(address, '@'); last < len(address)-1 {
		digest := address[last:]
		at := strings.LastIndexByte(address[:last], '@') + 1
		if at == 0 {
			return address
		}
		return redactUserinfo(address[:at]) + address[at:last] + digest
	}
	scheme, rest, _ := strings.Cut(address, "://")
	end := strings.IndexAny(rest, ":/@")
	switch rest[end] {
	case ':':
		if isPort(rest[end+1:]) {
			return address
		}
		return scheme + "://" + masked + "@"
	case '@':
		return scheme + "://" + masked + rest[end:] // a user alone
	}
	return address
}

// isPort tells whether a port and a path begin here, and no password. A tag of
// an image looks like one too.
func isPort(text string) bool {
	digits := strings.TrimLeft(text, "0123456789")
	return len(digits) < len(text) && strings.HasPrefix(digits, "/")
}

func (s *secret) hinted(lower string) bool {
	for _, hint := range s.hints {
		if strings.Contains(lower, hint) {
			return true
		}
	}
	return false
}
