package redact

import (
	"slices"
	"strings"
)

// Words of the names of secrets.
var (
	// secretEnds end a word that makes any name one of a secret: "PGPASSWORD".
	secretEnds = []string{
		"password", "passwd", "passphrase", "secret", "token", "credential", "credentials",
		"apikey", "accesskey", "secretkey", "privatekey", "accountkey",
	}
	// secretLasts do so as last words only: PASS_MAX_DAYS is none.
	secretLasts = []string{"pass", "pwd", "auth", "authorization"}
	// keyKinds make a secret of a key. Other keys are public, or of a cache.
	keyKinds = []string{
		"api", "access", "secret", "private", "encryption", "encrypt", "account", "signing", "auth", "ssh",
		"deploy", "master", "shared", "storage", "license", "service", "jwt", "session", "hmac", "webhook", "sas", "app",
	}
	// openFirsts and openLasts make what says only something about a secret.
	openFirsts = []string{"no", "public", "without", "skip", "disable", "ignore"}
	openLasts  = []string{
		"file", "path", "url", "uri", "id", "name", "type", "dir", "length", "ttl", "endpoint", "host", "issuer",
		"store", "helper", "size", "min", "max", "policy", "enabled", "required", "days", "version", "provider",
	}
)

// isSecretName tells whether values of this name are secret, and whether the
// name ends in what makes them so.
func isSecretName(name string) (secret, ends bool) {
	const longest = 200
	if len(name) > longest || name == "PWD" || name == "OLDPWD" {
		return false, false
	}
	words := wordsOf(name)
	if len(words) == 0 || slices.Contains(openFirsts, words[0]) {
		return false, false
	}
	last := len(words) - 1
	if slices.Contains(openLasts, words[last]) {
		return false, false
	}
	for i, word := range words {
		hasEnd := slices.ContainsFunc(secretEnds, func(end string) bool { return strings.HasSuffix(word, end) })
		isLast := slices.Contains(secretLasts, word) || word == "key" && i > 0 && slices.Contains(keyKinds, words[i-1])
		secret = secret || hasEnd || isLast && i == last
		ends = hasEnd || isLast
	}
	return secret, secret && ends
}

// wordsOf splits a name at what is no letter or digit, and where a capital
// follows a small letter: "X-Api_Key" and "xApiKey" have the same words.
func wordsOf(name string) []string {
	var words []string
	start := 0
	for i := 0; i <= len(name); i++ {
		isGap := i == len(name) || name[i] == '_' || name[i] == '-' || name[i] == '.'
		isHump := !isGap && i > start && isUpper(name[i]) && !isUpper(name[i-1])
		if (isGap || isHump) && i > start {
			words = append(words, strings.ToLower(name[start:i]))
		}
		if isGap {
			start = i + 1
		} else if isHump {
			start = i
		}
	}
	return words
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// isHarmless tells values that only refer to a secret, or are none.
func isHarmless(value string) bool {
	if strings.IndexByte("${[(<`%", value[0]) >= 0 {
		return true
	}
	switch strings.ToLower(value) {
	case "true", "false", "yes", "no", "none", "null", "nil", "required", "optional", "on", "off", "0", "1":
		return true
	}
	for _, place := range []string{
		"/run/", "/etc/", "/var/", "/root/", "/home/", "/tmp/", "/usr/", "/opt/", "/mnt/", "/dev/", "/app/", "/src/",
		"id=", "src=", "source=", "type=", "env=", // of --secret
	} {
		if strings.HasPrefix(value, place) {
			return true
		}
	}
	return false
}
