package e2e

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// A brake is in front of a server. It makes slow, or refuses, what it is told to, and
// measures how long that took: a machine may be slower than what was asked for.
type brake struct {
	mu   sync.Mutex
	rule *brakeRule
	held []interval
}

// A brakeRule says what is held, and how.
type brakeRule struct {
	match  func(*http.Request) bool
	takes  time.Duration // that the body of the request takes to go through, or that of the answer
	once   bool          // only the first request that matches
	refuse bool          // with 403, or the code
	code   int           // 0 for 403
}

type interval struct{ start, end time.Time }

// set gives the brake another rule, nil for none.
func (b *brake) set(rule *brakeRule) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rule, b.held = rule, nil
}

// took is for how long requests were held since the rule was set. Those that were at once
// count once.
func (b *brake) took(t *testing.T) (total time.Duration) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var last time.Time
	for _, in := range slices.SortedFunc(slices.Values(b.held), func(x, y interval) int { return x.start.Compare(y.start) }) {
		if in.start.Before(last) {
			in.start = last
		}
		if in.end.After(in.start) {
			total += in.end.Sub(in.start)
			last = in.end
		}
	}
	if total == 0 {
		t.Error("the brake held nothing")
	}
	return total
}

// ruleFor is what holds a request, nil if nothing does.
func (b *brake) ruleFor(q *http.Request) *brakeRule {
	b.mu.Lock()
	defer b.mu.Unlock()
	rule := b.rule
	if rule == nil || !rule.match(q) {
		return nil
	}
	if rule.once {
		b.rule = nil
	}
	return rule
}

// wrap puts the brake in front of a server.
func (b *brake) wrap(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		rule := b.ruleFor(q)
		switch {
		case rule == nil:
			server.ServeHTTP(w, q)
			return
		case rule.refuse:
			io.Copy(io.Discard, q.Body)
			http.Error(w, `{"errors":[{"code":"DENIED","message":"no place is left"}]}`, cmp.Or(rule.code, http.StatusForbidden))
			return
		}
		in := interval{start: time.Now()}
		p := &pace{of: q, takes: rule.takes, bytes: q.ContentLength}
		if q.ContentLength > 0 {
			q.Body = &slowBody{q.Body, p}
		} else {
			w = &slowAnswer{ResponseWriter: w, pace: p}
		}
		server.ServeHTTP(w, q)
		in.end = time.Now()
		b.mu.Lock()
		b.held = append(b.held, in)
		b.mu.Unlock()
	})
}

// A pace is that at which a body goes: evenly, all of it in a time. Where it is not known
// how long it is, all waits before the first byte.
type pace struct {
	of    *http.Request
	takes time.Duration
	bytes int64
}

// piece is how much of n bytes goes at once.
func (p *pace) piece(n int) int {
	const pieces = 20
	if p.bytes > 0 {
		n = min(n, int(p.bytes/pieces)+1)
	}
	return n
}

// wait waits for as long as n bytes take.
func (p *pace) wait(n int) {
	takes := p.takes
	if p.bytes > 0 {
		takes = time.Duration(float64(takes) * float64(n) / float64(p.bytes))
	} else {
		p.takes = 0
	}
	select {
	case <-time.After(takes):
	case <-p.of.Context().Done():
	}
}

type slowBody struct {
	io.ReadCloser
	pace *pace
}

func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:b.pace.piece(len(p))])
	b.pace.wait(n)
	return n, err
}

type slowAnswer struct {
	http.ResponseWriter
	pace *pace
}

func (a *slowAnswer) WriteHeader(code int) {
	if a.pace.of.Method == http.MethodHead || code == http.StatusNotModified {
		a.pace.wait(0) // nothing follows
	} else {
		a.pace.bytes, _ = strconv.ParseInt(a.Header().Get("Content-Length"), 10, 64)
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *slowAnswer) Write(p []byte) (done int, err error) {
	for len(p) > 0 && err == nil {
		n := a.pace.piece(len(p))
		a.pace.wait(n)
		n, err = a.ResponseWriter.Write(p[:n])
		a.ResponseWriter.(http.Flusher).Flush()
		done, p = done+n, p[n:]
	}
	return done, err
}
