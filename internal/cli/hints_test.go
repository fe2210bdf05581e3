package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
)

// Errors that were joined are told one by one, each with its hint, a hint once; one that
// wraps others in its own words is one.
func TestTell(t *testing.T) {
	var out bytes.Buffer
	p := &Process{console: &console.Console{Output: console.Output{Writer: &out}}}
	inner := errors.New("exec format error")
	p.tell(errors.Join(
		fmt.Errorf("%w: %w", usageError{"no record", "install it"}, inner),
		errors.Join(usageError{"no store", "name it"}, usageError{"no file", "name it"}),
		fmt.Errorf("ask: %w", context.DeadlineExceeded),
	))
	want := `buildregress: error: no record: exec format error
buildregress: hint: install it
buildregress: error: no store
buildregress: hint: name it
buildregress: error: no file
buildregress: error: ask: context deadline exceeded
buildregress: hint: --timeout allows for more time; 0 is as long as it takes
`
	if got := out.String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// What is told of a command line is wrong with it, and is told once.
func TestNoFalseFaults(t *testing.T) {
	t.Chdir(t.TempDir())
	build := filepath.Join(t.TempDir(), "b.jsonl")
	if err := os.WriteFile(build, []byte(`{"id":"x","start":"2026-01-01T00:00:00Z","steps":[]}`), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args string
		want []string // faults
	}{
		{"check --storee sqlite:x.db " + build, []string{"unknown flag --storee"}},
		{"check --base-lin tempo+http://u:p@h " + build, []string{"unknown flag --base-lin"}},
		{"check --window x --min-history 60 " + build, []string{`--window: "x" is not`}},
		{"check --cert-file a --user u --baseline jaeger://g jaeger://h", []string{"--cert-file and --key-file go together", "--user is given without a password", "it would go to both"}},
		{"record --token-file " + filepath.Join("no", "such") + " --user u jaegers://h", []string{"give only one"}},
	} {
		var errs bytes.Buffer
		code := Run(t.Context(), Process{
			Args: strings.Fields(test.args), Getenv: func(string) string { return "" },
			Stdout: console.Output{Writer: new(bytes.Buffer)}, Stderr: console.Output{Writer: &errs}, Clock: clitest.NewClock(clitest.Start).Now,
		})
		if n := strings.Count(errs.String(), "buildregress: error: "); code != command.ExitUsage || n != len(test.want) {
			t.Errorf("%s: exit code %d, %d faults\n%s", test.args, code, n, &errs)
		}
		contains(t, test.args, errs.String(), test.want...)
	}
	// A variable of a shell that is not set says nothing.
	if code, _ := inProcess(t, "check", "--trace-id", "", build); code != command.ExitOK {
		t.Errorf("no trace: exit code %d", code)
	}
}
