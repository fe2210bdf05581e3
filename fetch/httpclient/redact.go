package httpclient

import (
	"encoding/base64"
	"strings"
)

// leastSecret is how long a header's value is at least that is cut out of what a
// server says: shorter ones stand in any text.
const leastSecret = 8

// Redact cuts what the headers hold out of text that a server wrote. Some repeat
// what they were sent when they refuse it.
func (o *Options) Redact(text string) string {
	for _, values := range o.Header {
		for _, value := range values {
			for _, secret := range Parts(value) {
				if len(secret) >= leastSecret {
					text = strings.ReplaceAll(text, secret, "*****")
				}
			}
		}
	}
	return text
}

// Parts are a header's value, and the credentials in it, the longest first.
func Parts(value string) []string {
	list := []string{value}
	scheme, credentials, ok := strings.Cut(value, " ")
	if !ok {
		return list
	}
	list = append(list, credentials)
	if plain, err := base64.StdEncoding.DecodeString(credentials); err == nil && strings.EqualFold(scheme, "basic") {
		_, password, _ := strings.Cut(string(plain), ":")
		list = append(list, string(plain), password)
	}
	return list
}
