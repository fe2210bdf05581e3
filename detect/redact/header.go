package redact

import (
	"encoding/base64"
	"strings"
)

// HeaderParts are a header's value, and the credentials in it, the longest first.
func HeaderParts(value string) []string {
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
