package report

import (
	"bytes"
	"errors"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	htmlrenderer "github.com/yuin/goldmark/renderer/html"
)

func TestClean(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "RUN npm ci && x | y", "RUN npm ci && x | y"},
		{"lines", "a\r\nb\tc\u2028d", "a b c d"},
		{"colours", "\x1b[1;31mred\x1b[0m \x1b]0;title\x07x", "red x"},
		{"controls", "a\x00b\u009bc", "a\uFFFDb\uFFFDc"},
		{"bidi and zero width", "a\u202eb\u200bc\u2066", "a\uFFFDb\uFFFDc\uFFFD"},
		{"invalid UTF-8", "a\xffb", "a\uFFFDb"},
		{"command at the start", "::error::x", ": :error::x"},
		{"command after a space", "x ::error::y", "x : :error::y"},
		{"three colons", ":::error::y", ": : :error::y"},
		{"command behind a colour", ":\x1b[0m:error::y", ": :error::y"},
		{"scope operator", "std::vec::Vec", "std::vec::Vec"},
		{"old command", "x##[group]y ##vso[a.b]", "x# #[group]y # #vso[a.b]"},
		{"three hashes", "###[error]", "## #[error]"},
		{"heading", "## no command", "## no command"},
		{"stacked marks", "e\u0301\u0301\u0301\u0301\u0301\u0301!", "e\u0301\u0301\u0301!"},
	} {
		if got := Clean(test.in); got != test.want {
			t.Errorf("%s: Clean(%q) = %q, want %q", test.name, test.in, got, test.want)
		}
	}
}

func TestCodeSpan(t *testing.T) {
	for in, want := range map[string]string{
		"RUN a":      "`RUN a`",
		"a`b":        "``a`b``",
		"`a``b":      "``` `a``b ```",
		"a`":         "`` a` ``",
		"":           "(no name)",
		"0123456789": "`0123…89`",
	} {
		if got := codeSpan(in, 7); got != want {
			t.Errorf("codeSpan(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, text := range []string{"RUN npm ci --no-audit", "日本語の名前です", "e\u0301e\u0301e\u0301e\u0301", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦"} {
		for width := range 12 {
			if got := cut(text, width); cells.StringWidth(got) > width || !utf8.ValidString(got) {
				t.Errorf("cut(%q, %d) = %q of %d cells", text, width, got, cells.StringWidth(got))
			}
		}
	}
}

func TestInCell(t *testing.T) {
	for in, want := range map[string]string{"a|b": `a\|b`, `a\|b`: `a\ \|b`, `a\\|`: `a\\ \|`} {
		if got := inCell(in); got != want {
			t.Errorf("inCell(%q) = %q, want %q", in, got, want)
		}
	}
}

var hostileSeeds = []string{
	"RUN npm ci", hostileName, "", " ", "`", "``", "a`b", "``` x", "\\", "\\`", "\\|", "\\\\|", "|", "|||", "<!--", "-->", "</details>",
	"<script>alert(1)</script>", "@octocat", "#1", "acme/shop#1", "https://x.example", "www.x.example", "ftp://x.example", "a@b.example",
	"mailto:a@b.example", "xmpp:a@b.example", ":tada:", "[a]: http://x.example", "[^1]", "- [ ] x", "1. x", "1) x", "+ x", "- x", "=== x", "---", "# x", "> x", "    x",
	"~~~", "~~x~~", "&#64;octocat", "$x$", "$$x$$", "::error::x", "##[error]x", "a::b::c", "\u200b@x", "[build 1/2] `a", "GH-1", "0123456789abcdef",
	"\n::error::x", "x\r::error::y", "a\u2028::error::", "\xff\xfe", "\x1b[31m::error::", "| a | b |\n|--|--|", strings.Repeat("`", 300), strings.Repeat("::", 300), ".", "x .", "*a*", "_a_", "a \\", "![x](y)",
}

var (
	markdownParser = goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(htmlrenderer.WithUnsafe()))
	deadHTML       = regexp.MustCompile(`(?s)<pre>.*?</pre>|<code>.*?</code>`)
	anyTag         = regexp.MustCompile(`<[^>]*>`)
	// What GitHub looks for in the text once Markdown is done with it.
	reference = regexp.MustCompile(`(?i)@\w|#\d|https?:/|ftp:/|mailto:\w|(?:^|[\s*_~(])www\.|:\w+:|\$[!-~]|\bGH-\d|\b[0-9a-f]{7,}\b`)
)

// liveHTML renders Markdown and takes out of it what code holds.
func liveHTML(t testing.TB, markdown string) (tags []string, text string) {
	t.Helper()
	var b bytes.Buffer
	if err := markdownParser.Convert([]byte(markdown), &b); err != nil {
		t.Fatal(err)
	}
	live := deadHTML.ReplaceAllString(b.String(), "")
	return anyTag.FindAllString(live, -1), html.UnescapeString(anyTag.ReplaceAllString(live, " "))
}

var revision = regexp.MustCompile(`\b(at|since|before|in|of) [0-9a-f]{7,64}\b`)

func FuzzMarkdownStaysDead(f *testing.F) {
	for _, seed := range hostileSeeds {
		f.Add(seed)
	}
	render := func(text string) string {
		var b bytes.Buffer
		if err := Markdown(&b, hostileReport(text), Code{}); err != nil {
			f.Fatal(err)
		}
		return b.String()
	}
	harmless, _ := liveHTML(f, render("RUN x"))
	f.Fuzz(func(t *testing.T, text string) {
		document := render(text)
		if len(document) > maxMarkdown {
			t.Errorf("%d bytes", len(document))
		}
		want := harmless
		if Clean(text) == "" { // what is absent is left out, with its line
			want, _ = liveHTML(t, render(""))
		}
		got, live := liveHTML(t, document)
		if !slices.Equal(got, want) {
			t.Errorf("%q changes the structure: %s", text, cmp.Diff(want, got))
		}
		// Revisions that are commits are links on purpose, where they stand as revisions.
		if found := reference.FindString(revision.ReplaceAllString(live, "$1 ")); found != "" {
			t.Errorf("%q makes a live %q", text, found)
		}
		for line := range strings.Lines(document) {
			if strings.HasPrefix(strings.TrimSpace(line), "::") || oldCommand.MatchString(line) {
				t.Errorf("%q makes a command of %q", text, line)
			}
		}
	})
}

var oldCommand = regexp.MustCompile(`##\w*\[`)

func FuzzText(f *testing.F) {
	for _, seed := range hostileSeeds {
		f.Add(seed, 80, false)
		f.Add(seed, 40, true)
	}
	f.Fuzz(func(t *testing.T, text string, width int, color bool) {
		var b bytes.Buffer
		o := TextOptions{Width: min(width, 300), Color: color}
		if err := errors.Join(Text(&b, hostileReport(text), o), BacktestText(&b, hostileBacktest(text), o)); err != nil {
			t.Fatal(err)
		}
		ownColors := regexp.MustCompile(`\x1b\[[0-9;]+m`)
		got := b.String()
		if color {
			got = ownColors.ReplaceAllString(got, "")
		}
		for _, r := range got {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)) {
				t.Fatalf("%q lets %U through", text, r)
			}
		}
		for line := range strings.Lines(got) {
			if strings.HasPrefix(strings.TrimSpace(line), "::") || oldCommand.MatchString(line) {
				t.Errorf("%q makes a command of %q", text, line)
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, seed := range hostileSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := hostileReport(strings.ToValidUTF8(text, "\uFFFD"))
		document := render(t, func(w io.Writer) error { return JSON(w, want) })
		back, err := ReadJSON(strings.NewReader(document))
		if err != nil {
			t.Fatal(err)
		}
		if got := back.Results[0].Steps[2].Name; got != want.Results[0].Steps[2].Name {
			t.Errorf("name %q came back as %q", want.Results[0].Steps[2].Name, got)
		}
		for line := range strings.Lines(document) {
			if oldCommand.MatchString(line) || strings.HasPrefix(strings.TrimSpace(line), "::") {
				t.Errorf("%q makes a command of %q", text, line)
			}
		}
	})
}
