package github

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// deadlined is a context with a deadline by another clock than the machine's.
type deadlined struct {
	context.Context
	at time.Time
}

func (d deadlined) Deadline() (time.Time, bool) { return d.at, true }

// A limit is waited for if it ends soon, and before the time that there is.
func TestLimits(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p := retryPolicy{func() time.Time { return now }}
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	reset := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for _, test := range []struct {
		name   string
		status int
		header []string
		left   time.Duration // until the deadline, 0 for none
		again  bool
		wait   time.Duration
	}{
		{"429, after seconds", 429, []string{"Retry-After", "20"}, 0, true, 20 * time.Second},
		{"403, after seconds", 403, []string{"Retry-After", "20"}, 0, true, 20 * time.Second},
		{"403, at a time", 403, []string{"Retry-After", at(20 * time.Second)}, 0, true, 20 * time.Second},
		{"past", 403, []string{"Retry-After", at(-20 * time.Second)}, 0, true, 0},
		{"by the server's clock", 403, []string{"Retry-After", at(20 * time.Second), "Date", at(15 * time.Second)}, 0, true, 5 * time.Second},
		{"primary, reset soon", 403, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset(30 * time.Second)}, 0, true, 30 * time.Second},
		{"primary, reset late", 403, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset(30 * time.Minute)}, 0, false, 30 * time.Minute},
		{"primary, 429", 429, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset(30 * time.Second)}, 0, true, 30 * time.Second},
		{"too late for us", 429, []string{"Retry-After", "20"}, 10 * time.Second, false, 20 * time.Second},
		{"in time for us", 429, []string{"Retry-After", "20"}, 30 * time.Second, true, 20 * time.Second},
		{"for ever", 429, []string{"Retry-After", "99999999999999999999"}, 0, false, longestWait + 1},
		{"negative", 429, []string{"Retry-After", "-1"}, 0, false, longestWait + 1},
		{"nothing said", 429, nil, 0, false, longestWait + 1},
		{"503, after seconds", 503, []string{"Retry-After", "3"}, 0, true, 3 * time.Second},
	} {
		resp := &http.Response{StatusCode: test.status, Header: http.Header{}, Request: &http.Request{Method: "GET"}}
		for i := 0; i+1 < len(test.header); i += 2 {
			resp.Header.Set(test.header[i], test.header[i+1])
		}
		ctx := t.Context()
		if test.left > 0 {
			ctx = deadlined{ctx, now.Add(test.left)}
		}
		again, err := p.retry(ctx, resp, nil)
		wait, limited := p.limit(resp)
		if err != nil || again != test.again || !limited || wait != test.wait {
			t.Errorf("%s: again %v, %v, %v, %v", test.name, again, wait, limited, err)
		}
	}
	if _, limited := p.limit(&http.Response{StatusCode: 403, Header: http.Header{"X-Ratelimit-Remaining": {"7"}}}); limited {
		t.Error("a refusal is taken for a limit")
	}
}

// A 503 that asks for no wait is a server's trouble, and no limit that is used up.
func TestUnavailableIsNoLimit(t *testing.T) {
	for _, header := range []http.Header{{}, {"Retry-After": {"0"}}} {
		resp := &http.Response{StatusCode: http.StatusServiceUnavailable, Header: header, Request: &http.Request{Method: "GET"}}
		p := retryPolicy{func() time.Time { return time.Unix(0, 0) }}
		if _, limited := p.limit(resp); limited {
			t.Errorf("%v is a limit", header)
		}
		if again, err := p.retry(t.Context(), resp, nil); err != nil || !again {
			t.Errorf("%v is not asked again: %v", header, err)
		}
	}
}
