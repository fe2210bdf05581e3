package buildkit

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// What a step prints tells where its time went, and what it installed. Of all that, no more
// is kept than the longest times in which it printed nothing, with the lines around them,
// and the versions. It is looked at as it comes, a line at a time.

const (
	maxPartial  = 4 << 10 // bytes of a line, of which the beginning is enough
	maxReadText = 4 << 20 // bytes of what one step prints: builders keep 2 MiB of it
	maxPackages = 5000    // of one step
	// Shorter gaps are nobody's concern, nor those that are a small part of a step.
	leastGap      = 250 * time.Millisecond
	leastGapShare = 0.1
	maxNeighbour  = 8 * timeline.MaxLine // bytes of a line, before masking
	gapCandidates = 2 * timeline.MaxGaps // those at the ends come in later
)

// clipMark begins the line that BuildKit prints in place of what it keeps to itself: what is
// beyond 2 MiB, or comes too fast.
var clipMark = []byte("[output clipped, log limit ")

// printed is what a vertex has printed so far.
type printed struct {
	read        int // bytes
	first, last time.Time
	firstLine   []byte // the first whole line that was not blank
	lastLine    []byte // the last whole line that was not blank
	partial     []byte // of a line that has not ended
	gaps        []silence
	open        bool              // a gap waits for the end of the line after it
	clipped     bool              // more was printed than is known: from here on, silence says nothing
	packages    map[string]string // versions by name
	retries     int64
	limited     int64
}

// A silence is a time in which nothing was printed, between two lines.
type silence struct {
	start, end    time.Time
	before, after string
	open          bool // the line after it has not ended
}

// add takes in a piece of what was printed. It may end within a line.
func (p *printed) add(at time.Time, data []byte) {
	if p.read += len(data); p.read > maxReadText {
		p.clipped, p.partial = true, nil
		if at.After(p.last) {
			p.last = at
		}
		return
	}
	before, wasClipped := p.lastLine, p.clipped
	text := data
	if len(p.partial) > 0 {
		text = append(p.partial, data...)
		p.partial = nil
	}
	shows := false
	var whole [][]byte // the first and the last
	for len(text) > 0 {
		line, rest, ended := bytes.Cut(text, []byte("\n"))
		shows = shows || len(shownLine(line)) > 0
		switch {
		case !ended:
			p.partial = bytes.Clone(line[:min(len(line), maxPartial+1)])
		case bytes.HasPrefix(rest, clipMark): // BuildKit cut it anywhere
		default:
			p.clipped = p.clipped || bytes.HasPrefix(line, clipMark)
			p.line(line)
			if line = neighbour(line); len(line) > 0 {
				whole = append(whole[:min(len(whole), 1)], line)
			}
		}
		text = rest
	}
	switch {
	case !shows || at.IsZero():
	case p.first.IsZero():
		p.first = at
	case !wasClipped && at.Sub(p.last) >= leastGap:
		p.open = true
		p.note(silence{start: p.last, end: at, before: string(before), open: true})
	}
	if shows && at.After(p.last) {
		p.last = at
	}
	if len(whole) == 0 {
		return
	}
	if p.firstLine == nil {
		p.firstLine = whole[0]
	}
	p.lastLine = whole[len(whole)-1]
	if p.open {
		closeGaps(p.gaps, whole[0])
		p.open = false
	}
}

// closeGaps names the line after those gaps that wait for it.
func closeGaps(gaps []silence, line []byte) {
	for i := range gaps {
		if gaps[i].open {
			gaps[i].open, gaps[i].after = false, string(line)
		}
	}
}

// note keeps a silence if it is one of the longest.
func (p *printed) note(s silence) {
	p.gaps = append(p.gaps, s)
	slices.SortStableFunc(p.gaps, func(a, b silence) int { return cmp.Compare(b.end.Sub(b.start), a.end.Sub(a.start)) })
	p.gaps = p.gaps[:min(len(p.gaps), gapCandidates)]
}

// shownLine is what a terminal shows of a line: a carriage return takes the cursor back.
func shownLine(line []byte) []byte {
	line = bytes.TrimRight(line, " \t\r")
	if i := bytes.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:]
	}
	return bytes.TrimLeft(line, " \t")
}

// neighbour is a whole line as it is kept beside a gap: as much as masking needs, and no part
// of a word, whose form masking would not know. It is empty for a line that is too long to
// be held whole.
func neighbour(line []byte) []byte {
	if len(line) > maxPartial {
		return nil
	}
	line = shownLine(line)
	if len(line) <= maxNeighbour {
		return line
	}
	return line[:max(bytes.LastIndexAny(line[:maxNeighbour], " \t"), 0)]
}

// line looks at a whole line.
func (p *printed) line(line []byte) {
	line = bytes.TrimSpace(line[:min(len(line), maxPartial)])
	if len(line) < 5 {
		return
	}
	// Most lines are told by their first letter.
	switch line[0] {
	case '(', '+', 'C', 'D', 'S', 'U', 'a', 'g':
		p.installed(string(line))
	case 'r':
		if bytes.HasPrefix(line, []byte("retrying in ")) { // by the builder
			p.retries++
		}
	}
	if bytes.Contains(line, []byte("429 Too Many Requests")) || bytes.Contains(line, []byte("toomanyrequests")) {
		p.limited++
	}
}

// installed takes in the versions in a line, as package managers print what they install.
func (p *printed) installed(line string) {
	words := strings.Fields(line)
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	inParentheses := func(i int) string { return strings.Trim(word(i), "()") }
	switch first := words[0]; {
	case first[0] == '(' && strings.Contains(first, "/"): // apk: (9/13) Installing libcurl (8.7.1-r0)
		switch word(1) {
		case "Installing":
			p.keep(word(2), inParentheses(3))
		case "Upgrading", "Downgrading": // name (old -> new)
			p.keep(word(2), inParentheses(5))
		}
	case first == "Setting" && word(1) == "up": // apt: Setting up curl (8.5.0-2) ...
		p.keep(word(2), inParentheses(3))
	case first == "Unpacking": // apt
		p.keep(word(1), inParentheses(2))
	case first == "Successfully" && word(1) == "installed": // pip: requests-2.31.0 idna-3.4
		for _, each := range words[2:] {
			if i := strings.LastIndexByte(each, '-'); i > 0 {
				p.keep(each[:i], each[i+1:])
			}
		}
	case first == "go:" && word(1) == "downloading":
		p.keep(word(2), word(3))
	case first == "Compiling", first == "Downloaded": // cargo: Compiling serde v1.0.219
		p.keep(word(1), word(2))
	case first == "+": // npm: + left-pad@1.3.0; pnpm: + left-pad 1.3.0
		name, version := word(1), word(2)
		if i := strings.LastIndexByte(name, '@'); i > 0 {
			name, version = name[:i], name[i+1:]
		}
		if strings.Count(version, ".") >= 2 { // a shell prints "+ sleep 0.5"
			p.keep(name, version)
		}
	case first == "added" && (word(2) == "packages" || word(2) == "packages,"): // npm: added 312 packages in 4s
		p.keep("npm packages", word(1))
	}
}

// keep keeps the version of a package.
func (p *printed) keep(name, version string) {
	isPart := func(text string) bool {
		return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
			return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("@/._+:~ -", r)
		})
	}
	digit := strings.TrimPrefix(version, "v")
	if !isPart(name) || !isPart(version) || digit == "" || !unicode.IsDigit(rune(digit[0])) || len(name)+1+len(version) > timeline.MaxVersion {
		return
	}
	if p.packages == nil {
		p.packages = map[string]string{}
	}
	if _, known := p.packages[name]; known || len(p.packages) < maxPackages {
		p.packages[name] = version
	}
}

// usage adds what a step printed, from its start to its end, to what was measured of it,
// which may be nil.
func (p *printed) usage(u *timeline.Usage, start, end time.Time, secret *redact.Arguments) *timeline.Usage {
	if p == nil {
		return u
	}
	var out timeline.Usage
	if u != nil {
		out = *u
	}
	out.Retries, out.Limited = p.retries, p.limited
	out.Gaps = p.longest(start, end, secret)
	if len(p.packages) > 0 && !p.clipped { // else some are not known, and would be told as gone
		var all []string
		for _, name := range slices.Sorted(maps.Keys(p.packages)) {
			all = append(all, name+" "+p.packages[name])
		}
		if len(all) > timeline.MaxVersions {
			out.VersionsSum = digestOf([]byte(strings.Join(all, "\n")))
			all = all[:timeline.MaxVersions]
		}
		for i := range all {
			all[i] = fetch.Clean(all[i], timeline.MaxVersion)
			secret.Cut(&all[i])
		}
		out.Versions = all
	}
	if out.IsZero() {
		return nil
	}
	return &out
}

// longest are the longest times of a step in which it printed nothing.
func (p *printed) longest(start, end time.Time, secret *redact.Arguments) (gaps []timeline.Gap) {
	if p.first.IsZero() || start.IsZero() || !end.After(start) {
		return nil
	}
	all, firstLine, lastLine := slices.Clone(p.gaps), p.firstLine, p.lastLine
	if line := neighbour(p.partial); len(line) > 0 { // it never ended, and is whole
		lastLine = line
		if firstLine == nil {
			firstLine = line
		}
		closeGaps(all, line)
	}
	if firstLine != nil {
		all = append(all, silence{start: start, end: p.first, after: string(firstLine)})
	}
	if lastLine != nil && !p.clipped {
		all = append(all, silence{start: p.last, end: end, before: string(lastLine)})
	}
	all = slices.DeleteFunc(all, func(s silence) bool { return s.open })
	slices.SortStableFunc(all, func(a, b silence) int { return cmp.Compare(b.end.Sub(b.start), a.end.Sub(a.start)) })
	least := max(leastGap, time.Duration(leastGapShare*float64(end.Sub(start))))
	for _, s := range all {
		took := s.end.Sub(s.start)
		if took < least || len(gaps) == timeline.MaxGaps {
			break
		}
		if s.start.Before(start) || s.end.After(end) {
			continue // of an attempt before, or of another clock
		}
		gaps = append(gaps, timeline.Gap{Before: maskedLine(s.before, secret), After: maskedLine(s.after, secret), Seconds: timeline.Seconds(took.Round(time.Millisecond))})
	}
	return gaps
}

// maskedLine is a line without what changes with each build, and without secrets.
func maskedLine(line string, secret *redact.Arguments) string {
	const longest = 32 // bytes of a word that says something: a key in several lines has longer ones
	line = redact.Text(strings.ToValidUTF8(line, "\uFFFD"))
	secret.Cut(&line)
	words := strings.FieldsFunc(line, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	for i, word := range words {
		if len(word) > longest {
			words[i] = "…"
		} else {
			words[i] = withoutDigits(word)
		}
	}
	return fetch.Cut(strings.Join(words, " "), timeline.MaxLine)
}

// withoutDigits has one # for each number, or word of hexadecimal digits, in a word.
func withoutDigits(word string) string {
	if !strings.ContainsAny(word, "0123456789") {
		return word
	}
	var out strings.Builder
	for len(word) > 0 {
		end := strings.IndexFunc(word, func(r rune) bool { return !isWordPart(r) })
		if end < 0 {
			end = len(word)
		}
		part := word[:end]
		const leastHex = 7
		switch {
		case len(part) >= leastHex && strings.ContainsAny(part, "0123456789") && strings.Trim(part, "0123456789abcdefABCDEF") == "":
			out.WriteByte('#')
		default:
			inNumber := false
			for _, r := range part {
				isDigit := r >= '0' && r <= '9'
				if !isDigit {
					out.WriteRune(r)
				} else if !inNumber {
					out.WriteByte('#')
				}
				inNumber = isDigit
			}
		}
		if word = word[end:]; word != "" {
			_, size := utf8.DecodeRuneInString(word)
			out.WriteString(word[:size])
			word = word[size:]
		}
	}
	// "1.25" and "13" are numbers alike.
	return numbers.Replace(out.String())
}

var numbers = strings.NewReplacer("#.#.#.#", "#", "#.#.#", "#", "#.#", "#", "#,#", "#")

func isWordPart(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
