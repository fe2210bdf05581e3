package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// Work that looks at no context ends with the process.
func TestWithinTime(t *testing.T) {
	w := &world{env: func(string) string { return "" }}
	forever := func(context.Context) (int, error) { select {} }
	began := time.Now()
	_, err := within(t.Context(), w, settings{"timeout": {[]string{"50ms"}, "--timeout"}}, forever)
	if !errors.As(err, new(timeoutError)) || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	asked := func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	if _, err := within(t.Context(), w, settings{"timeout": {[]string{"50ms"}, "--timeout"}}, asked); !errors.As(err, new(timeoutError)) {
		t.Errorf("interrupted: %v", err)
	}
	for _, limit := range []string{"0", "1m"} {
		code, err := within(t.Context(), w, settings{"timeout": {[]string{limit}, "--timeout"}}, func(context.Context) (int, error) { return 1, nil })
		if code != 1 || err != nil {
			t.Errorf("in time: %d, %v", code, err)
		}
	}
}

// A mistake of ours is one line, and more only for those who ask.
func TestPanic(t *testing.T) {
	original := commands[0].run
	defer func() { commands[0].run = original }()
	commands[0].run = func(context.Context, *world, settings, []string) (int, error) { panic("boom") }
	for _, timeout := range []string{"1m", "0"} {
		for _, verbose := range []bool{false, true} {
			var errs bytes.Buffer
			w := &world{args: []string{"check", "--timeout", timeout}, env: func(string) string { return "" }, stderr: &errs}
			if verbose {
				w.args = append(w.args, "--verbose")
			}
			if code := run(t.Context(), w); code != exitTrouble {
				t.Errorf("exit code %d", code)
			}
			first, rest, _ := strings.Cut(errs.String(), "\n")
			if first != "buildregress: error: internal error: boom, please report" || strings.Contains(rest, "limits_test.go") != verbose || !verbose && rest != "" {
				t.Errorf("verbose %t: %s", verbose, &errs)
			}
		}
	}
}
