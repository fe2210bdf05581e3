package report

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"

	"github.com/buildregress/buildregress/detect/stepname"
)

// Names, paths, errors and log lines are written by whoever opens a pull
// request. All of them pass Clean, whatever the format; what a format makes of
// them after that is up to codeSpan, escapeMarkdown and fenced.

// maxClean bounds what is looked at of one text, in bytes. Nothing longer is
// ever shown.
const maxClean = 4096

var (
	// "##[error]" of GitHub, "##vso[…]" of Azure and "##teamcity[…]" are obeyed
	// anywhere in a line of a CI log.
	hashCommand = regexp.MustCompile(`##(\w*\[)`)
	// "::error::" is obeyed at the start of a line. Lines are wrapped between
	// words, so that any word may come to stand there; "std::string" cannot.
	colonCommand = regexp.MustCompile(`(?:^|\W)::+`)
)

// Clean makes text fit to stand within a line of any output: one line, valid
// UTF-8, no control, formatting or invisible characters, no command that a CI
// system would obey in a log. It leaves markup alone.
func Clean(text string) string {
	text = strings.ToValidUTF8(bounded(text), "\uFFFD")
	if strings.Contains(text, "\x1b") {
		text = stepname.Sequences.ReplaceAllString(text, "")
	}
	text = strings.Join(strings.Fields(strings.Map(visible, text)), " ")
	if strings.ContainsFunc(text, unicode.IsMark) {
		text = stackedMarks.ReplaceAllString(text, "$1")
	}
	if strings.Contains(text, "##") {
		text = hashCommand.ReplaceAllString(text, "# #$1")
	}
	if !strings.Contains(text, "::") {
		return text
	}
	return colonCommand.ReplaceAllStringFunc(text, func(m string) string {
		return strings.TrimSuffix(strings.ReplaceAll(m, ":", ": "), " ")
	})
}

// bounded leaves out the middle of a text that is longer than maxClean: to look at all
// of it takes time, and cut leaves less of it to be shown.
func bounded(text string) string {
	if len(text) <= maxClean {
		return text
	}
	return text[:maxClean*3/4] + "…" + text[len(text)-maxClean/4:]
}

// stackedMarks is more combining marks than any script needs: they would paint
// over the lines above and below.
var stackedMarks = regexp.MustCompile(`(\p{M}{3})\p{M}+`)

// visible maps white space to a space, and what cannot be seen or turns the
// reading direction to U+FFFD, so that it is seen.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.Is(unicode.Variation_Selector, r):
		return -1
	case r == '\u115F' || r == '\u1160' || r == '\u3164' || r == '\uFFA0' || r == '\u034F': // fillers
		return unicode.ReplacementChar
	case !unicode.IsPrint(r):
		return unicode.ReplacementChar
	}
	return r
}

// cells measures text as terminals do. Unlike runewidth's own functions it does
// not look at the environment.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}

// cut shortens text to the given number of terminal cells by leaving out a part
// in the middle: the start of an instruction says what it is, and its end often
// tells it from its neighbours.
func cut(text string, width int) string {
	if cells.StringWidth(text) <= width {
		return text
	}
	if width <= 1 {
		return cells.Truncate(text, max(width, 0), "")
	}
	tail := (width - 1) / 3
	end := cells.TruncateLeft(text, cells.StringWidth(text)-tail, "")
	return cells.Truncate(text, width-1-tail, "") + "…" + end
}

var addresses = regexp.MustCompile(`^https?://[A-Za-z0-9.\-]+(?::[0-9]+)?(?:[/?#][A-Za-z0-9._~:/?#@!$&*+,;=%\-]*)?$`)

// address is an address of the web in which nothing is alive but itself, "" if
// text is none.
func address(text string) string {
	if len(text) > maxClean || !addresses.MatchString(text) || strings.Contains(text, "::") || strings.Contains(text, "##") {
		return ""
	}
	return text
}

// codeSpan writes clean text as a Markdown code span, in which nothing is alive:
// GitHub makes no link, mention or reference of what stands in code.
func codeSpan(text string, width int) string {
	text = cut(text, width)
	if text == "" {
		return "(no name)"
	}
	fence := strings.Repeat("`", longestRun(text, '`')+1)
	if text[0] == '`' || text[len(text)-1] == '`' {
		text = " " + text + " "
	}
	return fence + text + fence
}

// inCell makes a piece of Markdown fit for a cell of a table. Parsers do not
// agree on what a backslash before an escaped pipe means, so that none is left
// to stand there.
func inCell(markdown string) string {
	markdown = strings.ReplaceAll(markdown, `\|`, `\ |`)
	return strings.ReplaceAll(markdown, "|", `\|`)
}

// fenced writes clean lines as a Markdown code block.
func fenced(lines []string) string {
	text := strings.Join(lines, "\n")
	fence := strings.Repeat("`", max(longestRun(text, '`')+1, 3))
	return fence + "text\n" + text + "\n" + fence + "\n"
}

func longestRun(text string, of byte) int {
	longest, run := 0, 0
	for i := range len(text) {
		if text[i] == of {
			run++
		} else {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

var (
	markup = regexp.MustCompile("[\\\\`*_{}\\[\\]<>&#|~$!^]")
	// What GitHub links on its own, or turns into something else, in text that
	// is no code. It looks at the text after Markdown is done with it, so that no
	// escape helps: the text itself must differ, by a space of no width.
	linked = regexp.MustCompile(`(?i)[@#:$]|www|[a-z]-|[0-9a-f]{6}`)
)

// escapeMarkdown writes clean prose as Markdown that reads as it stands.
func escapeMarkdown(text string) string { return unlinked(text, escapeMarks) }

// unlinked writes clean prose, escaped for a format that GitHub shows, so that it makes no
// link of it.
func unlinked(text string, escape func(string) string) string {
	var b strings.Builder
	for text != "" {
		at := linked.FindStringIndex(text)
		if at == nil {
			break
		}
		b.WriteString(escape(text[:at[1]]))
		found, rest := text[at[0]:at[1]], text[at[1]:]
		text = rest
		if rest == "" || becomesLink(found, rest[0]) {
			b.WriteString("&#8203;")
		}
	}
	b.WriteString(escape(text))
	return b.String()
}

// becomesLink tells whether found, followed by next, is the start of a link: "@user",
// "#12", "https://", ":smile:", "$x$", "www.", "GH-12", a commit.
func becomesLink(found string, next byte) bool {
	letter := next == '_' || next >= 0x80 || '0' <= next && next <= '9' || 'a' <= next|0x20 && next|0x20 <= 'z'
	switch {
	case found == "@" || found == "#" || found == "$":
		return next != ' '
	case found == ":":
		return next != ' '
	case strings.HasSuffix(found, "-"):
		return '0' <= next && next <= '9'
	case strings.EqualFold(found, "www"):
		return next == '.'
	}
	return letter
}

func escapeMarks(text string) string {
	return markup.ReplaceAllStringFunc(text, func(c string) string {
		switch c {
		case "<":
			return "&lt;"
		case ">":
			return "&gt;"
		case "&":
			return "&amp;"
		}
		return `\` + c
	})
}
