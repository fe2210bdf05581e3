package buildkit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/google/go-cmp/cmp"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// printedAt is what a step printed at some seconds after its beginning.
func printedAt(pieces map[float64]string, seconds ...float64) *printed {
	p := &printed{}
	for _, at := range seconds {
		p.add(began.Add(time.Duration(at*float64(time.Second))), []byte(pieces[at]))
	}
	return p
}

// usageOfPrinted is what is kept of a step that took so many seconds.
func usageOfPrinted(p *printed, seconds float64, secret *redact.Arguments) timeline.Usage {
	u := p.usage(nil, began, began.Add(time.Duration(seconds*float64(time.Second))), secret)
	if u == nil {
		return timeline.Usage{}
	}
	return *u
}

// Package managers print what they install, each in its way, and lines may come in pieces.
func TestVersions(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"fetch https://dl-cdn.alpinelinux.org/alpine/v3.20/main/x86_64/APKINDEX.tar.gz\n(1/2) Installing libcurl (8.7.1-r0)\n(2/2) Installing curl (8.7.1-r0)\nOK: 20 MiB in 27 packages\n", []string{"curl 8.7.1-r0", "libcurl 8.7.1-r0"}},
		{"(3/9) Upgrading busybox (1.36.1-r28 -> 1.36.1-r29)\n", []string{"busybox 1.36.1-r29"}},
		{"Unpacking curl (8.5.0-2ubuntu10) ...\r\nSetting up libc6:amd64 (2.39-0ubuntu8) ...\nSetting up curl (8.5.0-2ubuntu10) ...\n", []string{"curl 8.5.0-2ubuntu10", "libc6:amd64 2.39-0ubuntu8"}},
		{"Unpacking zlib1g (1:1.3.1-1) over (1:1.2.13-1) ...\n", []string{"zlib1g 1:1.3.1-1"}},
		{"Collecting requests\nSuccessfully installed charset-normalizer-3.3.2 idna-3.7 requests-2.32.3\n", []string{"charset-normalizer 3.3.2", "idna 3.7", "requests 2.32.3"}},
		{"go: downloading golang.org/x/text v0.3.0\ngo: downloading github.com/a/b/v2 v2.1.0\n", []string{"github.com/a/b/v2 v2.1.0", "golang.org/x/text v0.3.0"}},
		{"  Downloaded serde v1.0.219\n   Compiling proc-macro2 v1.0.95\n   Compiling serde v1.0.219\n   Compiling app v0.1.0 (/src)\n", []string{"app v0.1.0", "proc-macro2 v1.0.95", "serde v1.0.219"}},
		{"+ left-pad@1.3.0\nadded 312 packages in 4s\n", []string{"left-pad 1.3.0", "npm packages 312"}},
		{"added 312 packages, and audited 313 packages in 4s\n", []string{"npm packages 312"}},
		{"dependencies:\n+ @scope/pkg 4.17.21\n", []string{"@scope/pkg 4.17.21"}},
		{"+ sleep 0.5\n+ make -j4\nSetting up the world (really) ...\nCompiling things\nadded rows\n(1/2) Installing it\nSuccessfully installed\ngo: downloading\nUnpacking a (\x1b[1m2) \n", nil},
	} {
		for _, size := range []int{len(test.text), 7, 1} {
			p := &printed{}
			for text := []byte(test.text); len(text) > 0; text = text[min(size, len(text)):] {
				p.add(began, text[:min(size, len(text))])
			}
			if diff := cmp.Diff(test.want, usageOfPrinted(p, 1, &redact.Arguments{}).Versions); diff != "" {
				t.Errorf("%q in pieces of %d: %s", test.text, size, diff)
			}
		}
	}
}

// Of many versions the first are kept, and whether any of the others is another.
func TestVersionsOfMany(t *testing.T) {
	of := func(last string) timeline.Usage {
		p := &printed{}
		for i := range 100 {
			p.add(began, fmt.Appendf(nil, "(%d/100) Installing p%03d (1.%d)\n", i+1, i, i))
		}
		p.add(began, []byte("(100/100) Installing z ("+last+")\n"))
		return usageOfPrinted(p, 1, &redact.Arguments{})
	}
	a, b := of("1"), of("2")
	if len(a.Versions) != timeline.MaxVersions || a.VersionsSum == "" || a.VersionsSum == b.VersionsSum || !cmp.Equal(a.Versions, b.Versions) {
		t.Errorf("kept %q with %q and %q", a.Versions, a.VersionsSum, b.VersionsSum)
	}
}

// Where a step printed nothing for long is told by the lines around it.
func TestGaps(t *testing.T) {
	p := printedAt(map[float64]string{
		1: "Using typescript@5.4.5\n", 1.1: "warm", 1.2: " up 17 files\n", 10.4: "[9707ms] - ncc 0.38.1\r\n\n", 10.5: "\n", 11: "done 0123abcd99ff in 1.25 s\n",
	}, 1, 1.1, 1.2, 10.4, 10.5, 11)
	want := []timeline.Gap{
		{Before: "warm up # files", After: "[#ms] - ncc #", Seconds: seconds(9.2)},
		{Before: "done # in # s", After: "", Seconds: seconds(2)},
	}
	if diff := cmp.Diff(want, usageOfPrinted(p, 13, &redact.Arguments{}).Gaps); diff != "" {
		t.Error(diff)
	}
	// What is no part of the step, or no part of its time to speak of, is left out.
	if got := usageOfPrinted(p, 5, &redact.Arguments{}).Gaps; len(got) != 1 || got[0].After != "Using typescript@#" {
		t.Errorf("of a step that was over before: %+v", got)
	}
	if got := usageOfPrinted(p, 1000, &redact.Arguments{}).Gaps; len(got) != 1 || got[0].After != "" {
		t.Errorf("of a long step: %+v", got)
	}
	if got := usageOfPrinted(&printed{}, 5, &redact.Arguments{}); !got.IsZero() {
		t.Errorf("of a step that prints nothing: %+v", got)
	}
}

// What was printed and is not known is no silence, nor are versions in it gone.
func TestClippedLog(t *testing.T) {
	second := func(n int) time.Time { return began.Add(time.Duration(n) * time.Second) }
	busy := &printed{}
	for i := range 61 {
		busy.add(second(i), bytes.Repeat([]byte("0123456789abcde\n"), 100<<10/16))
	}
	if got := usageOfPrinted(busy, 61, &redact.Arguments{}); len(got.Gaps) > 0 {
		t.Errorf("of a step that printed all the time: %+v", got.Gaps)
	}
	clipped := &printed{}
	clipped.add(second(1), []byte("(1/9) Installing curl (8.7.1-r0)\nstart\n"))
	clipped.add(second(10), []byte("Compiling app v1.0\nline cut\n[output clipped, log limit 2MiB reached]\n"))
	clipped.add(second(40), []byte("more\n"))
	want := []timeline.Gap{{Before: "start", After: "Compiling app v#", Seconds: seconds(9)}}
	got := usageOfPrinted(clipped, 61, &redact.Arguments{})
	if diff := cmp.Diff(want, got.Gaps); diff != "" || len(got.Versions) > 0 {
		t.Errorf("of a log that BuildKit clipped: %s, and versions %q", diff, got.Versions)
	}
	early := printedAt(map[float64]string{1: "a\n", 3: "b\n\n[output clipped, log limit 200KiB/s reached]\n"}, 1, 3)
	for _, gap := range usageOfPrinted(early, 61, &redact.Arguments{}).Gaps {
		t.Errorf("of a log that was clipped at 3 s: %+v", gap)
	}
}

// Lines that come in pieces stand beside a gap whole, or not at all: of a part of a secret,
// masking does not know what it is.
func TestLinesInPieces(t *testing.T) {
	const token = "ghp_1111111111111111111111111111EXAMPLE"
	for at := range len(token) {
		p := printedAt(map[float64]string{
			1: "login\npushing with " + token[:at], 5: token[at:] + " now\nfetching with " + token[:at], 9: token[at:] + "\n", 10: "end",
		}, 1, 5, 9, 10)
		want := []timeline.Gap{
			{Before: "login", After: "pushing with ***** now", Seconds: seconds(4)},
			{Before: "pushing with ***** now", After: "fetching with *****", Seconds: seconds(4)},
			{Before: "end", After: "", Seconds: seconds(3)},
		}
		if diff := cmp.Diff(want, usageOfPrinted(p, 13, &redact.Arguments{}).Gaps); diff != "" {
			t.Fatalf("cut at %d: %s", at, diff)
		}
	}
	for pad := range 100 { // wherever a long line is cut
		line := strings.Repeat("a", pad) + strings.Repeat(" "+strings.Repeat("b", 33), 13) + " " + token + strings.Repeat(" more", 10)
		long := strings.Repeat("x ", maxPartial/2-60+pad) + token
		for _, text := range []string{line, long} {
			p := printedAt(map[float64]string{1: text[:len(text)/2], 1.1: text[len(text)/2:], 1.2: " end\n"}, 1, 1.1, 1.2)
			if got := fmt.Sprint(usageOfPrinted(p, 60, &redact.Arguments{}).Gaps); strings.Contains(got, "ghp") {
				t.Fatalf("kept %s", got)
			}
		}
	}
}

// Nothing that is secret is kept of what a step prints.
func TestPrintedSecrets(t *testing.T) {
	var secret redact.Arguments
	secret.Add("NPM_TOKEN", "correct-horse")
	const key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
	p := printedAt(map[float64]string{
		1: "logging in with correct-horse\n", 3: "token=ghp_1111111111111111111111111111EXAMPLE\n", 6: key + "\n", 9: "Successfully installed correct-horse-1.0\n",
	}, 1, 3, 6, 9)
	text := fmt.Sprintf("%+v", usageOfPrinted(p, 9.1, &secret))
	for _, leaked := range []string{"correct-horse", "ghp_", "EXAMPLE", "MIIE"} {
		if strings.Contains(text, leaked) {
			t.Errorf("%q is kept: %s", leaked, text)
		}
	}
}

// A registry that is in trouble makes the builder try again, and say so.
func TestRegistryTrouble(t *testing.T) {
	p := printedAt(map[float64]string{1: "error: unexpected status from GET request to https://r.example/v2/: 429 Too Many Requests\nretrying in 1s\n", 2: "error: connection reset\nretrying in 2s\n"}, 1, 2)
	if u := usageOfPrinted(p, 3, &redact.Arguments{}); u.Retries != 2 || u.Limited != 1 {
		t.Errorf("it is told as %+v", u)
	}
}

func seconds(s float64) timeline.Seconds { return timeline.Seconds(s * 1e9) }

// FuzzPrinted fuzzes what steps print, which may be anything, in pieces of any size.
func FuzzPrinted(f *testing.F) {
	f.Add([]byte("(1/2) Installing libcurl (8.7.1-r0)\nretrying in 1s\n"), 3, 400)
	f.Add([]byte("Successfully installed a-1 b-2\r\n\xff\x00\x1b[1m+ a@1.2.3"), 1, 3000)
	f.Add(bytes.Repeat([]byte("go: downloading a v1\n"), 100), 64, 10)
	f.Fuzz(func(t *testing.T, data []byte, size, milliseconds int) {
		size = min(max(size, 1), 1<<16)
		p := &printed{}
		at := began
		for text := data; len(text) > 0; text = text[min(size, len(text)):] {
			at = at.Add(time.Duration(milliseconds%10_000) * time.Millisecond)
			p.add(at, text[:min(size, len(text))])
		}
		u := usageOfPrinted(p, at.Sub(began).Seconds()+1, &redact.Arguments{})
		if !u.Plausible() || len(u.Gaps) > timeline.MaxGaps || len(u.Versions) > timeline.MaxVersions {
			t.Errorf("kept %+v", u)
		}
		for _, g := range u.Gaps {
			for _, line := range []string{g.Before, g.After} {
				if len(line) > timeline.MaxLine || !utf8.ValidString(line) || strings.ContainsAny(line, "\x1b\r\n\x00") {
					t.Errorf("kept the line %q", line)
				}
			}
		}
		for _, version := range u.Versions {
			if len(version) > timeline.MaxVersion || strings.ContainsFunc(version, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("kept the version %q", version)
			}
		}
	})
}
