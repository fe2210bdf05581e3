package detect

import "regexp"

const masked = "*****"

// secrets are the shapes that credentials come in. Each leaves its first group
// standing, so that people still see what was masked.
var secrets = []*regexp.Regexp{
	// Tokens that are known by their own form.
	regexp.MustCompile(`()\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|gl(?:pat|ptt|cbt|rt|dt|oas|ft)-[\w-]{16,}|npm_[A-Za-z0-9]{20,}|xox[abeoprs]-[\w-]{10,}|dckr_pat_[\w-]{16,}|pypi-[\w-]{16,}|hf_[A-Za-z0-9]{16,}|sk-[\w-]{20,}|AIza[\w-]{30,}|ya29\.[\w.-]{16,}|hvs\.[\w-]{16,})`),
	regexp.MustCompile(`()\b(?:AKIA|ASIA|AGPA|AROA|AIDA)[A-Z0-9]{12,}\b`),
	regexp.MustCompile(`()\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*`),
	regexp.MustCompile(`(?s)()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`),
	// user:password@ of a URL.
	regexp.MustCompile(`(\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@"']+@`),
	// Authorization: Bearer …, as a header or its value.
	regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9+/_.~=-]{12,}`),
	// name=value and name: value, where the name says that the value is secret.
	// Values that only refer to a secret ($TOKEN, /run/secrets/…) say nothing.
	regexp.MustCompile(`(?i)((?:^|[^a-z0-9])[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|_auth|credentials?)["']?\s*(?:=|:\s)\s*["']?)[^\s"'$/,;&|<>)][^\s"',;&|<>)]*`),
	regexp.MustCompile(`(?i)((?:^|\s)--?(?:password|passwd|pass|token|secret|api-key|access-key)\s+["']?)[^\s"'$/-][^\s"']*`),
}

// Mask replaces whatever in text looks like a credential by asterisks. It is
// applied to all that a build's author controls before it is stored or shown.
// It cannot know every form: a secret without any is not recognised.
func Mask(text string) string {
	for i, s := range secrets {
		with := "${1}" + masked
		if i == 4 {
			with += "@"
		}
		text = s.ReplaceAllString(text, with)
	}
	return text
}
