package dockerfile

import (
	"regexp"
	"strings"
)

// Key is the identity of a step across builds, "[platform stage] INSTRUCTION
// text": without position, without what changes from build to build (image
// digests, hashes, UUIDs, dates, version numbers, of which placeholders are
// left), and "-" for a stage without a name. Steps of one build may share it;
// what tells them apart is their order. Text is the instruction as the
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

var hexRun = regexp.MustCompile(`\b[0-9a-fA-F]{7,}\b`)

// normalize folds white space and puts placeholders for what varies.
func normalize(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, p := range placeholders {
		text = p.pattern.ReplaceAllString(text, p.with)
	}
	return hexRun.ReplaceAllStringFunc(text, func(run string) string {
		// "defaced" is a word; an abbreviated commit without any digit is rarer.
		if !strings.ContainsAny(run, "0123456789") {
			return run
		}
		return "<hex>"
	})
}
