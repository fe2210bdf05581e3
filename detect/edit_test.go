package detect

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A number that its author changed is told, with both texts, though the key is the same;
// one that changes by itself is not.
func TestEditsOfNumbers(t *testing.T) {
	type call = func(n int) (name, text string) // of build n, the last being 20
	named := func(name func(n int) string) call { return func(n int) (string, string) { return name(n), "" } }
	edited := func(before, after string) call {
		return named(func(n int) string {
			if n < 20 {
				return before
			}
			return after
		})
	}
	const hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
	for _, test := range []struct {
		what     string
		call     call
		inFile   bool // the source knows the Dockerfile
		was, now string
	}{
		{"a number", edited("RUN cpu 0.6", "RUN cpu 2.6"), false, "RUN cpu 0.6", "RUN cpu 2.6"},
		{"a number, and the Dockerfile is known", edited("RUN cpu 0.6", "RUN cpu 2.6"), true, "RUN cpu 0.6", "RUN cpu 2.6"},
		{"a whole number", edited("RUN make -j 4 all", "RUN make -j 1 all"), false, "RUN make -j 4 all", "RUN make -j 1 all"},
		{"a commit", edited("RUN git checkout 9d11ad4", "RUN git checkout 77b0c2a"), false, "checkout 9d11ad4", "checkout 77b0c2a"},
		{"an image", edited("FROM alpine:3.19@sha256:"+hex+"0", "FROM alpine:3.20@sha256:"+hex+"1"), false, "FROM alpine:3.19", "FROM alpine:3.20"},
		{"nothing but what the builder resolved", edited("FROM alpine:3.20@sha256:"+hex+"0", "FROM alpine:3.20@sha256:"+hex+"1"), false, "", ""},
		{"no instruction", edited("load metadata for alpine:3.19", "load metadata for alpine:3.20"), false, "", ""},
		{"a number that changed before", named(func(n int) string { return fmt.Sprintf("RUN cpu %d.6", n/10) }), false, "RUN cpu 1.6", "RUN cpu 2.6"},
		{"a version that every build has of its own", named(func(n int) string { return fmt.Sprintf("RUN make V=1.%d", n) }), false, "", ""},
		{"the same in a generated Dockerfile", named(func(n int) string { return fmt.Sprintf("RUN make V=1.%d", n) }), true, "", ""},
		{"a number of the build", named(func(n int) string { return fmt.Sprintf("RUN make --number %d all of it", n) }), false, "", ""},
		{"a commit of every build", named(func(n int) string { return fmt.Sprintf("RUN make REV=%07x", 0x9a0b1c2+n) }), false, "", ""},
		{"the date of every tenth build", named(func(n int) string { return fmt.Sprintf("RUN make D=2026-01-0%d", 1+n/10) }), false, "", ""},
		{"the date of every tenth build in the Dockerfile", named(func(n int) string { return fmt.Sprintf("RUN make D=2026-01-0%d", 1+n/10) }), true, "2026-01-02", "2026-01-03"},
		{"the body of a heredoc", func(n int) (string, string) {
			return "RUN <<EOT (set -ex...)", "RUN <<EOT set -ex cpu " + map[bool]string{true: "2.6", false: "0.6"}[n == 20] + " EOT"
		}, true, "cpu 0.6 EOT", "cpu 2.6 EOT"},
		{"a number beside an argument", func(n int) (string, string) {
			number := map[bool]string{true: "2.6", false: "0.6"}[n == 20]
			return fmt.Sprintf("RUN cpu %s V=1.%d", number, n), "RUN cpu " + number + " V=$V"
		}, true, "RUN cpu 0.6 V=$V", "RUN cpu 2.6 V=$V"},
		{"the argument alone", func(n int) (string, string) {
			return fmt.Sprintf("RUN cpu 0.6 V=%d.%d", n/20, n/20), "RUN cpu 0.6 V=$V"
		}, true, "", ""},
		{"a text that the history does not know", func(n int) (string, string) {
			if n < 20 {
				return "RUN cpu 0.6 V=1.1", ""
			}
			return "RUN cpu 0.6 V=1.2", "RUN cpu 0.6 V=$V"
		}, true, "", ""},
	} {
		builds := func(n int, took float64) []stepSpec {
			name, _ := test.call(n)
			return []stepSpec{ran("[b 1/2] COPY . .", seconds(5)), ran("[b 2/2] "+name, seconds(took))}
		}
		complete := func(b *timeline.Build, n int) {
			s := &b.Steps[1]
			_, s.Text = test.call(n)
			if _, text := test.call(20); strings.Contains(text, "$") {
				s.Key = dockerfile.Key("", "b", text) // as fetch/buildkit has it
			}
			if test.inFile {
				s.Source.Line = 7
			}
		}
		h := mainHistory(20, func(n int, rng *rand.Rand) []stepSpec { return builds(n, 6+rng.Float64()/5) })
		for i := range h.Base {
			complete(&h.Base[i], 19-i)
		}
		b := newBuild("pr", 100, builds(20, 26)...)
		complete(&b, 20)
		r := Judge(&b, h, defaults)
		s := &r.Steps[1]
		wantStatus(t, s, StatusSlower)
		told := ""
		for _, note := range s.Notes {
			if note.Kind == KindEdited {
				told = note.Text
			}
		}
		if test.was == "" && told != "" || test.was != "" && !strings.Contains(told, test.was+"` became `") || !strings.Contains(told, test.now) {
			t.Errorf("%s: told %q; want %q and %q", test.what, told, test.was, test.now)
		}
	}
}

// On the base branch an edit is told for as long as the builds since stand off together.
func TestEditsOfSeveralBuilds(t *testing.T) {
	h := mainHistory(23, func(n int, rng *rand.Rand) []stepSpec {
		if n < 20 {
			return []stepSpec{ran("[b 1/1] RUN cpu 0.6", noisy(rng, seconds(6), .03))}
		}
		return []stepSpec{ran("[b 1/1] RUN cpu 1.6", noisy(rng, seconds(16), .03))}
	})
	b := newBuild("main", 100, ran("[b 1/1] RUN cpu 1.6", seconds(16)))
	r := Judge(&b, h, defaults)
	s := &r.Steps[0]
	wantStatus(t, s, StatusSlower)
	if s.Evidence.Builds != 4 || len(s.Notes) == 0 || s.Notes[0].Text != "edited: `RUN cpu 0.6` became `RUN cpu 1.6`" {
		t.Errorf("%d builds, notes %q", s.Evidence.Builds, s.Notes)
	}
}

// A step that ran because a number in it was edited has lost no cache.
func TestEditsExplainCacheLosses(t *testing.T) {
	h := mainHistory(20, func(int, *rand.Rand) []stepSpec {
		return []stepSpec{hit("[b 1/2] RUN cpu 0.6"), ran("[b 2/2] RUN make", seconds(9), "[b 1/2] RUN cpu 0.6")}
	})
	b := newBuild("pr", 100, ran("[b 1/2] RUN cpu 2.6", seconds(26)), ran("[b 2/2] RUN make", seconds(9), "[b 1/2] RUN cpu 2.6"))
	r := Judge(&b, h, defaults)
	if len(r.Cache.Losses) != 1 || !r.Cache.Losses[0].Expected || r.Cache.Losses[0].Cause.Text != "the instruction was edited: `RUN cpu 0.6` became `RUN cpu 2.6`" {
		t.Errorf("%+v", r.Cache.Losses)
	}
}

// Of long texts the part is shown in which they differ, whatever stands there.
func TestExcerpts(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, test := range [][4]string{
		{"RUN a", "RUN b", "RUN a", "RUN b"},
		{"RUN " + long + " v1", "RUN " + long + " v2", "RUN … v1", "RUN … v2"},
		{"RUN v1 " + long, "RUN v2 " + long, "RUN v1 " + long[:51] + "…", "RUN v2 " + long[:51] + "…"},
		{"RUN " + long, "RUN " + long + " é", "RUN … " + long[:20], "RUN … " + long[:20] + " é"},
		{"RUN echo `date` 1", "RUN echo `date` 2", "RUN echo 'date' 1", "RUN echo 'date' 2"},
		{"RUN " + strings.Repeat("é", 100) + "é", "RUN " + strings.Repeat("é", 100) + "è", "RUN … " + strings.Repeat("é", 9) + "é", "RUN … " + strings.Repeat("é", 9) + "è"},
		{"", "RUN x", "", "RUN x"},
	} {
		a, b := excerpts(test[0], test[1])
		if a != test[2] || b != test[3] {
			t.Errorf("%q and %q: %q and %q; want %q and %q", test[0], test[1], a, b, test[2], test[3])
		}
	}
}
