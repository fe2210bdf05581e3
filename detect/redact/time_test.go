package redact

import (
	"strings"
	"testing"
	"time"
)

// FuzzMaskTime repeats text until it is long: what one byte costs may not grow with it.
func FuzzMaskTime(f *testing.F) {
	for _, text := range []string{
		"password='abc' ", `password="`, `password=\"x `, "token:", "curl -u a:b ", "docker login -p ", "a&&", "x;", "http://a:b@", "@",
		"bearer a1", "?key=", "machine a login b ", "-----BEGIN PRIVATE KEY-----", "sk-", "key-0", "config set ", `["--password",`, "--password \\\n",
		"AAAAAAAAAAAAAAAAA\n", "=password", "Authorization: ", "password", "${PASSWORD:-", "basic ", "mysql ",
		"sqlplus a/b ", "sqlplus a/b@c;", "mongodump -p x ", "lftp -u a,b ", "net user a b ", "echo abc | sudo ", "echo abc|", "identified by 'x' ", "create secret --from-literal=a=b ",
		"jdbc:oracle:thin:a/", "cookie: a=", "http://a/t/", "htpasswd -nb a ", "chpasswd<<<a:", "curl -E a:b ",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		const short, long = 64 << 10, 256 << 10
		if text == "" {
			return // there is nothing to repeat
		}
		text = text[:min(len(text), 1<<10)]
		cost := func(size int) time.Duration {
			whole := strings.Repeat(text, size/len(text)+1)
			begin := clock()
			Text(whole)
			return clock() - begin
		}
		// Four times as long; quadratic would be 16 times the time. What the machine does
		// besides can hold one of them up, not always the same.
		const attempts = 10
		var a, b time.Duration
		for range attempts {
			if a, b = cost(short), cost(long); b < 9*a {
				return
			}
		}
		t.Errorf("%q: %v for %d bytes, %v for %d", text, a, short, b, long)
	})
}

// clock is the time since some moment.
func clock() time.Duration { return time.Since(began) }

// clock: two readings of a monotonic clock are compared with two others: no date is in them.
var began = time.Now()
