package dockerfile

import (
	"regexp"
	"slices"
	"strings"
)

// An Instruction is one of a Dockerfile, as far as it takes to tell which step it became.
type Instruction struct {
	Stage string // in lower case, "" for one without a name
	Index int    // among those of its stage that become steps, from 1; 0 if it becomes none
	Count int    // how many of the stage do
	Line  int    // on which it begins, from 1
	Text  string // in one line: continuations joined, comments left out, white space folded
	// Body is how the progress sums up the here-document, "set -ex...", "" without one.
	Body string
}

// maxInstructions is how many a Dockerfile may have. Real ones have tens.
const maxInstructions = 10_000

// Lines takes a Dockerfile apart into lines, of which there may be many, and tells which
// character continues them.
func Lines(text string) (lines []string, escape string) {
	const most = 100_000
	lines, escape = strings.SplitN(strings.TrimPrefix(text, "\ufeff"), "\n", most), `\`
	// Directives stand before all else.
	for _, line := range lines {
		directive, isComment := strings.CutPrefix(strings.TrimSpace(line), "#")
		key, value, isDirective := strings.Cut(directive, "=")
		if !isComment || !isDirective {
			break
		}
		if strings.EqualFold(strings.TrimSpace(key), "escape") && strings.TrimSpace(value) == "`" {
			escape = "`"
		}
	}
	return lines, escape
}

// Scan finds the instructions of a Dockerfile. It is no parser: what the builder refuses
// is taken for what it looks like.
func Scan(text string) []Instruction {
	lines, escape := Lines(text)
	s := scanner{stages: map[string]bool{}}
	for at := 0; at < len(lines) && len(s.found) < maxInstructions; {
		first := at + 1
		line, next := logicalLine(lines, at, escape)
		at = next
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		words[0] = strings.ToUpper(words[0])
		in := Instruction{Line: first, Text: strings.Join(words, " ")}
		for _, end := range documentsOf(words) {
			var body string
			if body, at = document(lines, at, end); in.Body == "" {
				in.Body = body
			}
		}
		s.add(in, words)
	}
	s.endStage()
	return s.found
}

// logicalLine joins the line at an index with those that continue it, and tells the index
// of the line behind them. It is "" for a comment.
func logicalLine(lines []string, at int, escape string) (joined string, next int) {
	var out strings.Builder
	for begun, more := false, true; more && at < len(lines); at++ {
		line := strings.TrimRight(lines[at], " \t\r")
		start := strings.TrimSpace(line)
		if start == "" || start[0] == '#' {
			if !begun {
				return "", at + 1
			}
			continue
		}
		begun = true
		line, more = strings.CutSuffix(line, escape)
		out.WriteString(line)
	}
	return out.String(), at
}

// A scanner knows in which stage it is.
type scanner struct {
	found   []Instruction
	stages  map[string]bool // by name, those before
	stage   string
	first   int // of its instructions
	counted int
	unsure  bool // a variable says what the stage begins with, which may be no step
}

// add takes in an instruction, which consists of words.
func (s *scanner) add(in Instruction, words []string) {
	switch words[0] {
	case "FROM":
		s.endStage()
		args := slices.DeleteFunc(slices.Clone(words[1:]), func(word string) bool { return strings.HasPrefix(word, "--") })
		s.stage, s.first = "", len(s.found)
		if len(args) == 3 && strings.EqualFold(args[1], "AS") {
			s.stage = strings.ToLower(args[2])
		}
		if len(args) > 0 && args[0] != "scratch" && !s.stages[strings.ToLower(args[0])] {
			s.counted++
			in.Index = s.counted
		}
		s.unsure = len(args) > 0 && strings.Contains(args[0], "$")
		s.stages[s.stage] = s.stage != ""
	case "RUN", "COPY", "ADD", "WORKDIR":
		s.counted++
		in.Index = s.counted
	}
	in.Stage = s.stage
	s.found = append(s.found, in)
}

// endStage tells the instructions of a stage how many of them there are.
func (s *scanner) endStage() {
	for i := s.first; i < len(s.found); i++ {
		if s.found[i].Count = s.counted; s.unsure {
			s.found[i].Index, s.found[i].Count = 0, 0
		}
	}
	s.counted = 0
}

var documentStart = regexp.MustCompile(`^\d*<<(-?)(["']?)([A-Za-z0-9_.]+)["']?$`)

// A documentEnd is the line that ends a here-document.
type documentEnd struct {
	line string
	tabs bool // tabs in front of lines do not count
}

// documentsOf are the here-documents that follow an instruction.
func documentsOf(words []string) (ends []documentEnd) {
	const most = 100
	if !slices.Contains([]string{"RUN", "COPY", "ADD"}, words[0]) {
		return nil
	}
	quote := ""
	for _, word := range words[1:] {
		if quote == "" {
			if m := documentStart.FindStringSubmatch(word); m != nil && len(ends) < most {
				ends = append(ends, documentEnd{line: m[3], tabs: m[1] != ""})
				continue
			}
		}
		for _, r := range word {
			if c := string(r); quote == c {
				quote = ""
			} else if quote == "" && (c == `"` || c == "'") {
				quote = c
			}
		}
	}
	return ends
}

// document is how a here-document that begins at a line is summed up, and the index of the
// line behind it.
func document(lines []string, at int, end documentEnd) (body string, next int) {
	var first string
	several := false
	for ; at < len(lines); at++ {
		line := strings.TrimSuffix(lines[at], "\r")
		if end.tabs {
			line = strings.TrimLeft(line, "\t")
		}
		switch text := strings.TrimSpace(line); {
		case line == end.line:
			if several {
				first += "..."
			}
			return first, at + 1
		case first == "":
			first = text
		case text != "":
			several = true
		}
	}
	return first, at
}

// Find returns the one of the instructions that a step of that name was made of. ok is
// false if there is none, or it may be one of several.
//
// What the builder put for variables is not known here: an instruction that names some
// is found by the rest of it, if no other one says the same as it stands.
func Find(instructions []Instruction, name string) (found Instruction, ok bool) {
	n := ParseName(name)
	step := written(n.Text)
	if !IsInstruction(step) {
		return found, false
	}
	var same, like []Instruction
	for _, in := range instructions {
		if in.Stage != n.Stage {
			continue
		}
		text := written(in.Text)
		switch {
		case text == step, in.Body != "" && written(text+" ("+in.Body+")") == step:
			same = append(same, in)
		case isLike(text, step):
			like = append(like, in)
		}
	}
	if len(same) == 0 {
		same = like
	}
	if len(same) > 1 {
		same = slices.DeleteFunc(same, func(in Instruction) bool { return in.Index == 0 || in.Index != n.Index || in.Count != n.Count })
	}
	if len(same) != 1 {
		return found, false
	}
	return same[0], true
}

// written is an instruction in the one way in which it is compared: FROM as its image.
func written(text string) string {
	words := strings.Fields(text)
	if len(words) < 2 || words[0] != "FROM" {
		return strings.Join(words, " ")
	}
	words = slices.DeleteFunc(words[1:], func(word string) bool { return strings.HasPrefix(word, "--") })
	if len(words) == 0 {
		return "FROM"
	}
	image, _, _ := strings.Cut(words[0], "@sha256:")
	image = strings.TrimPrefix(strings.TrimPrefix(image, "docker.io/"), "library/")
	return "FROM " + strings.TrimSuffix(image, ":latest")
}

var variable = regexp.MustCompile(`\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[^{}]*\})`)

// isLike tells whether a step may be an instruction with values put for its variables.
func isLike(text, step string) bool {
	rest := variable.Split(text, -1)
	if len(rest) < 2 || !strings.HasPrefix(step, rest[0]) {
		return false
	}
	step = step[len(rest[0]):]
	last := rest[len(rest)-1]
	for _, part := range rest[1 : len(rest)-1] {
		at := strings.Index(step, part)
		if at < 0 {
			return false
		}
		step = step[at+len(part):]
	}
	return strings.HasSuffix(step, last)
}
