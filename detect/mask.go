package detect

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
	// user:password@ of a URL.
	{
		[]string{"://"},
		regexp.MustCompile(`(\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@"']+@`),
		"${1}" + masked + "@",
	},
	// Authorization: Bearer …, as a header or its value.
	{
		[]string{"bearer", "basic"},
		regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9+/_.~=-]{12,}`),
		"${1}" + masked,
	},
	// name=value and name: value, where the name says that the value is secret.
	// Values that only refer to a secret ($TOKEN, /run/secrets/…) say nothing.
	{
		[]string{"passw", "passphrase", "secret", "token", "key", "_auth", "credential"},
		regexp.MustCompile(`(?i)((?:^|[^a-z0-9])[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|_auth|credentials?)["']?\s*(?:=|:\s)\s*["']?)[^\s"'$/,;&|<>)][^\s"',;&|<>)]*`),
		"${1}" + masked,
	},
	{
		[]string{"-pass", "-token", "-secret", "-api-key", "-access-key"},
		regexp.MustCompile(`(?i)((?:^|\s)--?(?:password|passwd|pass|token|secret|api-key|access-key)\s+["']?)[^\s"'$/-][^\s"']*`),
		"${1}" + masked,
	},
}

// Mask replaces whatever in text looks like a credential by asterisks. It is
// applied to all that a build's author controls before it is stored or shown.
// It cannot know every form: a secret without any is not recognised.
func Mask(text string) string {
	lower := strings.ToLower(text)
	for i := range secrets {
		if s := &secrets[i]; s.hinted(lower) {
			text = s.pattern.ReplaceAllString(text, s.with)
		}
	}
	return text
}

func (s *secret) hinted(lower string) bool {
	for _, hint := range s.hints {
		if strings.Contains(lower, hint) {
			return true
		}
	}
	return false
}
