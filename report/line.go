package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What all formats say is made of lines, in which words and names are kept apart: each
// format escapes both in its own way, and none can say anything else.

// A line is a sentence or two, as spans: renderers differ only in how they
// write a span, so that they cannot differ in what they say. All its text is
// clean, see Clean.
type line []span

// A span is a piece of a line. Words are prose; code is a name, a path or
// anything else that is to be read letter by letter. Both may hold text that
// a build's author wrote, so that renderers escape both for their format.
// A span with an address is a link.
type span struct {
	text string
	code bool
	// whole is set where leaving something out of code would spoil it.
	whole bool
	// commit is set for a revision of nothing but hexadecimal digits: forges make a link
	// of it where it stands as plain text.
	commit bool
	// named is set for words that are such a revision.
	named bool
	to    string // an address that is safe in every format, or ""
	// file and line are where code stands that is a place in a file.
	file string
	line int
	page string // one that pages alone lead to, or ""
}

// A code argument of lineOf becomes a code span.
type code string

// A snippet argument of lineOf becomes a code span that is never cut: it is to be pasted.
type snippet string

// A commit argument of lineOf is a revision, short; a code span if it is no commit.
type commit string

// A place argument of lineOf becomes a code span that may lead to the file.
type place struct {
	file string
	line int // 0 for the file as a whole
}

// A link argument of lineOf becomes words that lead somewhere, or nothing if the
// address is none that may be shown.
type link struct{ words, to string }

// lineOf makes a line of its arguments: string is words, code a code span, and a
// line is taken as it is.
func lineOf(parts ...any) line {
	var l line
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			l = append(l, span{text: p})
		case code:
			l = append(l, span{text: Clean(string(p)), code: true})
		case snippet:
			l = append(l, span{text: Clean(string(p)), code: true, whole: true})
		case place:
			text := p.file
			if p.line > 0 {
				text = fmt.Sprintf("%s:%d", p.file, p.line)
			}
			l = append(l, span{text: Clean(text), code: true, file: p.file, line: p.line})
		case commit:
			short := shortRevision(string(p))
			if commits.MatchString(short) {
				l = append(l, span{text: short, commit: true})
			} else {
				l = append(l, span{text: Clean(short), code: true})
			}
		case link:
			if to := address(p.to); to != "" {
				l = append(l, span{text: p.words, to: to})
			}
		case line:
			l = append(l, p...)
		}
	}
	return l
}

// prose makes a line of a text from elsewhere in which names may stand between
// backticks. A name that holds a backtick itself only moves where code begins.
func prose(text string) line {
	pieces := strings.Split(cut(Clean(text), maxProse), "`")
	if len(pieces)%2 == 0 { // the last backtick has no partner: it is a letter
		last := len(pieces) - 1
		pieces = append(pieces[:last-1], pieces[last-1]+"`"+pieces[last])
	}
	var l line
	for i, piece := range pieces {
		switch quoted := i%2 == 1; {
		case quoted && commits.MatchString(piece) && beforeCommit.MatchString(pieces[i-1]):
			l = append(l, span{text: piece, commit: true})
		case !quoted && sinceCommit.MatchString(piece):
			at := sinceCommit.FindStringSubmatchIndex(piece)
			l = append(l, span{text: piece[:at[2]]}, span{text: piece[at[2]:at[3]], named: true}, span{text: piece[at[3]:]})
		case piece != "":
			l = append(l, span{text: piece, code: quoted})
		case quoted: // two backticks around nothing
			l = append(l, span{text: "``"})
		}
	}
	return l
}

// What our own notes say of revisions, with or without backticks.
var (
	beforeCommit = regexp.MustCompile(`\b(?:in|of|since|before) $`)
	sinceCommit  = regexp.MustCompile(`\b(?:since|before) ([0-9a-f]{7,40})[:.,;]`)
)

// maxProse is the most cells that a reason or a note gets.
const maxProse = 400

// sentence is prose that ends in a full stop.
func sentence(text string) line {
	text = strings.TrimSpace(text)
	if text != "" && !strings.ContainsAny(text[len(text)-1:], ".?:;") {
		text += "."
	}
	return prose(text)
}

// joined puts sep between lines.
func joined(lines []line, sep string) line {
	var all line
	for i, l := range lines {
		if i > 0 {
			all = append(all, span{text: sep})
		}
		all = slices.Concat(all, l)
	}
	return all
}
