package detect

import (
	"regexp"
	"strconv"
	"strings"
)

// A Name is a step's name taken apart: "[linux/amd64 build  3/12] RUN make".
type Name struct {
	Platform string // "linux/amd64", or "linux/amd64->arm/v7" when it cross-builds
	Stage    string // "build"; "" for an unnamed stage
	Index    int    // 3, or 0 where there is no i/n
	Count    int    // 12
	Text     string // "RUN make"
}

var (
	bracket    = regexp.MustCompile(`^\[([^\[\]]{1,300})\] ?`)
	ratio      = regexp.MustCompile(`^(\d{1,5})/(\d{1,5})$`)
	platform   = regexp.MustCompile(`^(?:linux|windows|darwin|freebsd|wasip1|wasi|js)/[a-z0-9_]+(?:/v\d+)?(?:->[a-z0-9_/]+)?$`)
	unnamed    = regexp.MustCompile(`^stage-\d+$`)
	digestTail = regexp.MustCompile(`@sha256:[0-9a-fA-F]{64}`)
)

// ParseName takes apart what the Dockerfile frontend puts in front of an
// instruction: platform, stage and position, each of them optional.
func ParseName(name string) Name {
	m := bracket.FindStringSubmatch(name)
	if m == nil {
		return Name{Text: strings.TrimSpace(name)}
	}
	n := Name{Text: strings.TrimSpace(name[len(m[0]):])}
	fields := strings.Fields(m[1])
	if len(fields) > 0 {
		if r := ratio.FindStringSubmatch(fields[len(fields)-1]); r != nil {
			n.Index, _ = strconv.Atoi(r[1])
			n.Count, _ = strconv.Atoi(r[2])
			fields = fields[:len(fields)-1]
		}
	}
	if len(fields) > 0 && platform.MatchString(fields[0]) {
		n.Platform, fields = fields[0], fields[1:]
	}
	n.Stage = strings.Join(fields, " ")
	if unnamed.MatchString(n.Stage) {
		n.Stage = ""
	}
	return n
}

// KeyOf is the identity of a step across builds, "[platform stage] INSTRUCTION
// text": without position, without what changes from build to build (image
// digests, hashes, UUIDs, dates, version numbers, of which placeholders are
// left), and "-" for a stage without a name. Steps of one build may share it;
// what tells them apart is their order. Text is the instruction as the
// Dockerfile has it, where that is known, else as it stands in the name.
func KeyOf(platform, stage, text string) string {
	if stage == "" {
		stage = "-"
	}
	if platform != "" {
		stage = platform + " " + stage
	}
	return "[" + stage + "] " + steady(text)
}

// placeholders, in the order in which they are put in: the longer form first,
// so that none eats a part of another.
var placeholders = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{digestTail, ""},
	{regexp.MustCompile(`\bsha256:[0-9a-fA-F]{64}\b`), "<digest>"},
	{regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`), "<uuid>"},
	{regexp.MustCompile(`\b(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-][0-2]\d:?[0-5]\d)?)?\b`), "<date>"},
	{regexp.MustCompile(`\b(?:19|20)\d\d[01]\d[0-3]\d(?:T?[0-2]\d[0-5]\d(?:[0-5]\d)?Z?)?\b`), "<date>"},
	{regexp.MustCompile(`\bv?\d+(?:\.\d+)+(?:-?(?:alpha|beta|rc|pre|dev)[.\d]*)?\b`), "<version>"},
}

var hexRun = regexp.MustCompile(`\b[0-9a-fA-F]{7,}\b`)

// steady folds white space and puts placeholders for what varies.
func steady(text string) string {
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
