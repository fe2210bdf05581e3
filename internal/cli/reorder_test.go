package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReorder(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"check", "check --"},
		{"check a", "check -- a"},
		{"check a --window 3", "check --window 3 -- a"},
		{"check --window=3 a b", "check --window=3 -- a b"},
		{"check a -window 3", "check -window 3 -- a"},
		{"check - --verbose a", "check --verbose -- - a"},
		{"check a -- --window -- b", "check -- a --window -- b"},
		{"check --branch=-- a", "check --branch=-- -- a"},
		{"check --branch -- a", "--branch needs a value"},
		{"check a --branch", "--branch needs a value"},
		{"record a -branch", "--branch needs a value"},
		{"check a --verbose", "check --verbose -- a"},
		{"check --nope a", "unknown flag --nope"},
		{"check --nope a --no --branch", "unknown flag --nope\nunknown flag --no\n--branch needs a value"},
		{"check a --window 3 -h", "help check"},
		{"check a --branch -h", "check --branch -h -- a"},
		{"check -- -h", "check -- -h"},
		{"--help", "help"},
		{"--help check", "help check"},
		{"--version", "version"},
		{"--nope check", "unknown flag --nope"},
		{"-v check", "unknown flag -v"},
		{"--nope=3", "unknown flag --nope"},
		{"-- check", "-- -- check"},
	} {
		line := reorder(strings.Fields(test.in))
		got := strings.Join(line.args, " ")
		if err := errors.Join(line.faults...); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("reorder(%q):\n%s", test.in, diff)
		}
	}
}
