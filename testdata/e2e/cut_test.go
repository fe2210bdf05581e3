package e2e

import (
	"encoding/json"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A cutter passes connections on, counts what comes back, and breaks off.
type cutter struct {
	address string
	passed  atomic.Int64 // bytes that came back
	after   int64        // of them, 0 for never: then
	cut     func()       // is called once, and all connections are closed
	once    sync.Once
}

// startCutter passes connections on to an address.
func startCutter(t *testing.T, to string, after int64, cut func()) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &cutter{address: l.Addr().String(), after: after, cut: cut}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			end := func() {
				client.Close()
				server.Close()
			}
			go func() {
				defer end()
				io.Copy(server, client)
			}()
			go func() {
				defer end()
				io.Copy(io.MultiWriter(client, c), server)
			}()
		}
	}()
	return c
}

// Write counts what passed, and ends what is over the bound.
func (c *cutter) Write(p []byte) (int, error) {
	if n := c.passed.Add(int64(len(p))); c.after > 0 && n >= c.after {
		c.once.Do(c.cut)
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// testBreak judges a build while its server breaks off after a share of all
// answers, and then while there is none: each ends in time, and either with an
// error or with a verdict that says what is missing.
func (s *stack) testBreak(t *testing.T, b *build, from source, address string, share float64, kill func()) {
	const limit, slack = 20 * time.Second, 10 * time.Second
	check := func(at, store string) (code int, r report, stderr string) {
		args := []string{
			s.binary, "check", "--format", "json", "--base-branch", "main", "--min-delta", minDelta, "--record", "never",
			"--timeout", limit.String(), s.storeFlag(store + "-" + from.store),
		}
		for _, arg := range from.args(b) {
			args = append(args, strings.ReplaceAll(arg, address, at))
		}
		start := time.Now()
		stdout, stderr, err := s.try(s.ctx, s.dir, nil, args...)
		if took := time.Since(start); took > limit+slack {
			t.Errorf("took %v, may take %v", took, limit)
		}
		if code = exitCode(err); code != 3 {
			if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Results) != 1 {
				t.Fatalf("exit %d, %v:\n%s%s", code, err, stdout, stderr)
			}
		}
		return code, r, stderr
	}
	whole := startCutter(t, address, 0, nil)
	code, all, stderr := check(whole.address, "whole")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	cut := startCutter(t, address, int64(share*float64(whole.passed.Load())), kill)
	switch code, r, stderr := check(cut.address, "cut"); code {
	case 3:
		if !strings.Contains(stderr, "buildregress: error: ") {
			t.Errorf("exit 3 without a word of why: %s", stderr)
		}
		t.Logf("broken off after %d of %d bytes: exit 3: %s", cut.passed.Load(), whole.passed.Load(), stderr)
	default:
		said := slices.DeleteFunc(notes(r), func(n note) bool { return slices.Contains(notes(all), n) })
		if len(said) == 0 {
			t.Errorf("exit %d, and nothing says that the baseline is partial: %v", code, r)
		}
		t.Logf("broken off after %d of %d bytes: %s against %d builds; %v", cut.passed.Load(), whole.passed.Load(), r.Verdict, r.Results[0].Baseline.Builds, said)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // there was one, and is none
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if code, _, stderr := check(l.Addr().String(), "none"); code != 3 || !strings.Contains(stderr, "buildregress: error: ") {
		t.Errorf("without a server: exit %d: %s", code, stderr)
	}
}

// notes are all notes of a report.
func notes(r report) []note { return slices.Concat(r.Notes, r.Results[0].Notes) }
