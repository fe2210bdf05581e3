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
	// Tokens that a prefix alone does not tell, see tokenForms for the others.
	{
		[]string{"eyj"},
		regexp.MustCompile(`\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*`),
		masked,
	},
	{
		[]string{"q~"}, // Microsoft Entra ID
		regexp.MustCompile(`\b[\w~.]{3}\dQ~[\w~.-]{30,}`),
		masked,
	},
	{
		[]string{":aa"}, // Telegram
		regexp.MustCompile(`\b\d{7,12}:AA[\w-]{30,}`),
		masked,
	},
	{
		[]string{".atlasv1."}, // Terraform Cloud
		regexp.MustCompile(`\b\w{10,20}\.atlasv1\.[\w=-]{30,}`),
		masked,
	},
	{
		[]string{"azdo"}, // Azure DevOps
		regexp.MustCompile(`\b[A-Za-z0-9]{60,90}AZDO[A-Za-z0-9]{4}\b`),
		masked,
	},
	{
		[]string{"-us"}, // Mailchimp
		regexp.MustCompile(`\b[0-9a-f]{32}-us\d{1,2}\b`),
		masked,
	},
	{
		[]string{"private key"},
		regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|$)`),
		masked,
	},
	{
		// What is left of a key whose begin was cut off.
		[]string{"private key"},
		regexp.MustCompile(`(?:[A-Za-z0-9+/=]{16,}\s+)+(?:=[A-Za-z0-9+/]{4}\s+)?-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----`),
		masked,
	},
	// Addresses that are a credential.
	{
		[]string{"hooks.slack.com/", "/api/webhooks/", "webhook.office.com/"},
		regexp.MustCompile(`(hooks\.slack\.com/\w+/|discord(?:app)?\.com/api/webhooks/|webhook\.office\.com/\w+/)[^\s"'<>]+`),
		"${1}" + masked,
	},
	{
		[]string{"sig=", "signature="},
		regexp.MustCompile(`(?i)([?&](?:sig|(?:[\w-]+-)?signature)=)[^\s"'&#<>$]+`),
		"${1}" + masked,
	},
	{
		[]string{"jdbc:oracle:"},
		regexp.MustCompile(`(?i)(jdbc:oracle:\w+:[\w.$#-]+/)[^\s@"'$*][^\s@"']*(@)`),
		"${1}" + masked + "${2}",
	},
	{
		[]string{"/t/"}, // Anaconda
		regexp.MustCompile(`(https?://[^\s"'<>]+/t/)[\w-]{20,}(/)`),
		"${1}" + masked + "${2}",
	},
	{
		[]string{"?key=", "&key="},
		regexp.MustCompile(`([?&]key=)(?:\d[^\s"'&#<>$]{7,}|[^\s"'&#<>$]{3,60}\d[^\s"'&#<>$]{4,}|[^\s"'&#<>$]{7,60}\d[^\s"'&#<>$]*)`),
		"${1}" + masked,
	},
}

// ambiguous are shapes that sentences of our own may have as well, such as "basic
// authentication": only in foreign text are they secrets.
var ambiguous = []secret{
	{
		[]string{"bearer"}, // a token, which has digits
		regexp.MustCompile(`(?i)(\bbearer\s+)[A-Za-z+/_.~=-]{0,60}\d[A-Za-z0-9+/_.~=-]{8,}`),
		"${1}" + masked,
	},
	{
		[]string{"basic"}, // base64, which has digits or more capitals than words have
		regexp.MustCompile(`(?i:(\bbasic\s+))(?:[A-Za-z+/]{0,60}\d[A-Za-z0-9+/]{8,}={0,2}|[A-Za-z0-9+/]{8,}={1,2}|[A-Za-z+/]{0,60}[a-z][A-Z][A-Za-z0-9+/]{10,})`),
		"${1}" + masked,
	},
	{
		[]string{"--password-stdin", "--passphrase-fd", "passwd", "sudo", "kinit", "cryptsetup"},
		regexp.MustCompile(`(\b(?:echo|printf)\s+(?:-\w+\s+)?["']?)[^\s"'|$;&]{3,}(["']?\s*\|(?:[^|;&\n]*(?:--password-stdin|--passphrase-fd)|\s*(?:sudo\s+)?(?:passwd|kinit|cryptsetup)\s|\s*sudo\s+(?:-\w+\s+){0,4}-\w*S\b))`),
		"${1}" + masked + "${2}",
	},
	{
		[]string{"chpasswd"},
		regexp.MustCompile(`(\bchpasswd\s*<<<\s*["']?[\w.-]+:)[^\s"'$]+`),
		"${1}" + masked,
	},
	{
		[]string{"chpasswd"},
		regexp.MustCompile(`(\b[\w.-]+:)[^\s"'|$]+(["']?\s*\|\s*(?:sudo\s+)?chpasswd)`),
		"${1}" + masked + "${2}",
	},
	{
		[]string{"htpasswd"},
		regexp.MustCompile(`(\bhtpasswd\s+-\w*b\w*\s+\S+\s+\S+\s+["']?)[^\s"'$;&|-][^\s"'$;&|]*`),
		"${1}" + masked,
	},
	{
		[]string{"htpasswd"}, // to standard output
		regexp.MustCompile(`(\bhtpasswd\s+-(?:\w*n\w*b|\w*b\w*n)\w*\s+\S+\s+["']?)[^\s"'$;&|-][^\s"'$;&|]*`),
		"${1}" + masked,
	},
	{
		[]string{"net user"},
		regexp.MustCompile(`(?i)(\bnet\s+user\s+\S+\s+["']?)[^\s/$%*"'][^\s"']*(["']?\s+/add\b)`),
		"${1}" + masked + "${2}",
	},
	{
		[]string{"cookie:"},
		regexp.MustCompile(`(?i)(\b(?:set-)?cookie:\s*[\w.-]+=)[^\s;"'$]{8,}`),
		"${1}" + masked,
	},
	{
		[]string{"machine"}, // a .netrc
		regexp.MustCompile(`(\bmachine(?:\s|\\[nrt])+[^\s\\]+(?:\s|\\[nrt])+(?:(?:login|user|account)(?:\s|\\[nrt])+[^\s\\]+(?:\s|\\[nrt])+){1,3}password(?:\s|\\[nrt])+["']?)[^\s"'\\$]+`),
		"${1}" + masked,
	},
}

// Text replaces whatever in text looks like a credential by asterisks. It is
// applied to all that a build's author controls before it is stored or shown.
// It cannot know every form: a secret without any is not recognised. What Own was told
// is cut out whatever its form.
func Text(text string) string {
	text = redactForms(Exact(text))
	lower := strings.ToLower(text)
	text = redactShapes(redactShapes(text, lower, secrets), lower, ambiguous)
	return redactNamed(redactCommands(text, lower), lower)
}

// Shapes replaces only what is a credential by its own form alone, such as a token or
// the login in an address, and what Own was told. No sentence of ours holds one: it may be
// applied to a whole message, in which foreign text has passed Text before.
func Shapes(text string) string {
	text = redactForms(Exact(text))
	return redactShapes(text, strings.ToLower(text), secrets)
}

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
		if strings.HasSuffix(scheme, "ssh") {
			return address // "git", whose key is elsewhere
		}
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
