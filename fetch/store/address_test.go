package store

import (
	"strings"
	"testing"
)

// What is shown of an address, and of what is wrong with it, has no password in it, wherever
// that stands.
func TestAddressesAreShownWithoutPasswords(t *testing.T) {
	for _, address := range []string{
		"postgres:/u:s3cret@h/db", "postgres:u:s3cret@h/db", "postgresql:u:s3cret@h/db", "postgres:///u:s3cret@h/db",
		"postgres://u:/s3cret@h/db", "postgres://u:?s3cret@h/db", "postgres://u:#s3cret@h/db", "postgres://u:/s3cret?more@h/db",
		"postgres://u:/s3cret?more=x@h/db", "postgres://u:/s3cret#more@h/db", "postgres://u:s3cret/x@h/db",
		"pg:u:s3cret@h/db", "pg://u:s3cret@h/db", "u:s3cret@h/db", "s3cret@h:5432/db", "s3cret@h",
	} {
		err := Check(address)
		if err == nil {
			t.Errorf("%s can be used", address)
			continue
		}
		if text := Name(address) + " " + err.Error(); strings.Contains(text, "s3c") || Name(address) == "" {
			t.Errorf("%s is shown: %s", address, text)
		}
	}
	for address, want := range map[string]string{
		"postgres://u:s3cret@h/db":                      "postgres://h/db",
		"postgres://u:%2Fs3cret%40@h:5432/db":           "postgres://h:5432/db",
		"postgres://h/db?user=u@x&password=s3cret@more": "postgres://h/db",
		"postgres://h/d%40b":                            "postgres://h/d@b",
	} {
		if err := Check(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		if got := Name(address); got != want {
			t.Errorf("%s is shown as %s, want %s", address, got, want)
		}
	}
}
