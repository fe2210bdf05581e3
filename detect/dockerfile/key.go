package dockerfile

import (
	"regexp"
	"slices"
	"strings"
)

// Key is the identity of a step across builds, "[platform stage] INSTRUCTION
// text": without position, without what changes from build to build (image
// digests, hashes, UUIDs, dates, version numbers, of which placeholders are
// left), and "-" for a stage without a name. Steps of one build may share it;
// what tells them apart is their order. In the name of a job, "test (3.11, arm64)", what
// stands in parentheses is of a matrix: a version there is a part of the name. Text is the instruction as the
// Dockerfile has it, where that is known, else as it stands in the name.
func Key(platform, stage, text string) string {
	if stage == "" {
		stage = "-"
	}
	if platform != "" {
		stage = platform + " " + stage
	}
	return "[" + stage + "] " + normalize(text)
}

// placeholders, in the order in which they are put in: the longer form first,
// so that none eats a part of another.
var placeholders = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`@sha256:[0-9a-fA-F]{64}`), ""},
	{regexp.MustCompile(`\bsha256:[0-9a-fA-F]{64}\b`), "<digest>"},
	{regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`), "<uuid>"},
	{regexp.MustCompile(`\b(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-][0-2]\d:?[0-5]\d)?)?\b`), "<date>"},
	{regexp.MustCompile(`\b(?:19|20)\d\d[01]\d[0-3]\d(?:T?[0-2]\d[0-5]\d(?:[0-5]\d)?Z?)?\b`), "<date>"},
	{regexp.MustCompile(`\bv?\d+(?:\.\d+)+(?:-?(?:alpha|beta|rc|pre|dev)[.\d]*)?\b`), "<version>"},
}

// version is the last of the placeholders.
var version = &placeholders[len(placeholders)-1]

var (
	instruction = regexp.MustCompile(`^(?:ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)(?:\s|$)`)
	parentheses = regexp.MustCompile(`\([^()]*\)`)
)

// HasMatrix tells whether a version is a part of the name of a job or a step of one.
func HasMatrix(text string) bool {
	if IsInstruction(text) {
		return false
	}
	return slices.ContainsFunc(parentheses.FindAllString(text, -1), version.pattern.MatchString)
}

// putVersions puts the placeholder for versions, but in the parentheses of a job's name.
func putVersions(text string) string {
	if !HasMatrix(text) {
		return version.pattern.ReplaceAllString(text, version.with)
	}
	var out strings.Builder
	for text != "" {
		group := parentheses.FindStringIndex(text)
		if group == nil {
			group = []int{len(text), len(text)}
		}
		out.WriteString(version.pattern.ReplaceAllString(text[:group[0]], version.with))
		out.WriteString(text[group[0]:group[1]])
		text = text[group[1]:]
	}
	return out.String()
}

var salt = regexp.MustCompile(`^(?:[0-9a-f]{12,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$`)

// IsSalt tells whether a word is nothing but a hash or a UUID.
func IsSalt(word string) bool {
	return salt.MatchString(word) && strings.ContainsAny(word, "0123456789")
}

var hexRun = regexp.MustCompile(`\b[0-9a-fA-F]{7,}\b`)

// normalize folds white space and puts placeholders for what varies.
func normalize(text string) string { return putHex(putVersions(putHashes(text))) }

// WithoutHashes is the text with placeholders for what programs write: hashes, UUIDs and
// dates. The numbers of versions, which people write, stay.
func WithoutHashes(text string) string { return putHex(putHashes(text)) }

// IsInstruction tells whether a text is an instruction of a Dockerfile.
func IsInstruction(text string) bool { return instruction.MatchString(text) }

func putHashes(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, p := range placeholders[:len(placeholders)-1] {
		text = p.pattern.ReplaceAllString(text, p.with)
	}
	return text
}

func putHex(text string) string {
	return hexRun.ReplaceAllStringFunc(text, func(run string) string {
		// "defaced" is a word; an abbreviated commit without any digit is rarer.
		if !strings.ContainsAny(run, "0123456789") {
			return run
		}
		return "<hex>"
	})
}
