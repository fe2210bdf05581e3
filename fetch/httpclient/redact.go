package httpclient

import (
	"strings"

	"github.com/buildregress/buildregress/detect/redact"
)

// leastSecret is how long a header's value is at least that is cut out of what a
// server says: shorter ones stand in any text.
const leastSecret = 8

// Redact cuts what the headers hold out of text that a server wrote. Some repeat
// what they were sent when they refuse it.
func (o *Options) Redact(text string) string {
	for _, values := range o.Header {
		for _, value := range values {
			for _, secret := range redact.HeaderParts(value) {
				if len(secret) >= leastSecret {
					text = strings.ReplaceAll(text, secret, "*****")
				}
			}
		}
	}
	return text
}
