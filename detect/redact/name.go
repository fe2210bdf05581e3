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
	secretLasts = []string{
		"pass", "pwd", "pw", "pswd", "passcode", "auth", "authorization", "creds", "cred",
		"storepass", "keypass", "srcstorepass", "srckeypass", "deststorepass", "destkeypass", "dbpass", "userpass",
		"rootpass", "adminpass", "requirepass", "extraheader",
	}
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
		"expiry", "expires", "expiration", "timeout", "duration", "lifetime", "age", "manager", "mode", "format", "method",
		"count", "limit", "scope", "scopes", "realm", "audience", "header", "prefix", "suffix", "region", "backend",
		"server", "port", "user", "username", "regex", "pattern", "algorithm", "alg", "strategy", "driver", "engine",
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
	if last > 0 && strings.HasSuffix(words[last-1], "sonar") && words[last] == "login" || name == "SSHPASS" { // a token, and no program
		return true, true
	}
	for i, word := range words {
		hasEnd := slices.ContainsFunc(secretEnds, func(end string) bool { return strings.HasSuffix(word, end) })
		isLast := slices.Contains(secretLasts, word) || word == "pat" && (len(words) > 1 || name == "PAT" || name[0] == '-') || word == "key" && i > 0 && slices.Contains(keyKinds, words[i-1])
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
	return refers(value) || slices.Contains(plainValues, strings.ToLower(value)) || isSmall(value) || strings.Trim(value, "*") == ""
}

// refers tells by its beginning whether text only refers to a secret.
func refers(value string) bool {
	if strings.IndexByte("${[(<`%", value[0]) >= 0 {
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

// plainValues are settings, and words of sentences about secrets.
var plainValues = strings.Fields(`
	true false yes no none null nil required optional on off enabled disabled always never auto default
	basic bearer digest ntlm negotiate kerberos oauth oauth2 oidc saml ldap mtls tls iam jwt token plain anonymous
	aws gcp azure vault github gitlab env file stdin keyring prompt inherit registry
	ok okay passed failed failure success invalid expired missing incorrect wrong denied empty unset set not is was are of in
	for from to and or unexpected expected unauthorized forbidden unknown rejected revoked changed hidden redacted masked
`)

// isSmall tells values too small for a secret: counts, and how long something takes.
func isSmall(value string) bool {
	const most = 3
	digits := prefixLen(value, "0123456789")
	switch unit := value[digits:]; {
	case digits == 0:
		return false
	case unit == "":
		return digits <= most
	default:
		return slices.Contains([]string{"ns", "us", "ms", "s", "m", "h", "d", "w", "%", "k", "kb", "mb", "gb"}, strings.ToLower(unit))
	}
}
