package file

import (
	"bytes"
	"regexp"
	"strings"
)

// Logs of CI systems have more in a line than what was printed: a time, a colour, the
// name of the service, or what another program wrote to the same terminal without
// ending its line. An event of progress begins where its JSON begins, and ends where
// that ends; several may stand in a line.

// eventNames are the first fields of events, as BuildKit writes them.
var eventNames = []string{"vertexes", "statuses", "logs", "warnings"}

// isEvent tells whether data begins with an event, whole or not.
func isEvent(data []byte) bool {
	for _, name := range eventNames {
		rest, ok := bytes.CutPrefix(data, []byte(`{"`+name+`"`))
		if !ok {
			continue
		}
		rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest[:min(len(rest), 16)], " \t"), []byte(":"))
		return ok && bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte("["))
	}
	return false
}

// nextEvent is the index of the first event in a line, -1 if there is none.
func nextEvent(line []byte) int {
	for from := 0; ; from += 2 {
		i := bytes.Index(line[from:], []byte(`{"`))
		if i < 0 {
			return -1
		}
		if from += i; isEvent(line[from:]) {
			return from
		}
	}
}

// isProgress tells whether data holds an event of progress, behind whatever else.
func isProgress(data []byte) bool {
	for from := 0; ; from++ {
		i := bytes.Index(data[from:], []byte(`{"vertexes"`))
		if i < 0 {
			break
		}
		if from += i; isEvent(data[from:]) {
			return true
		}
	}
	for _, name := range eventNames[1:] {
		start := []byte(`{"` + name + `"`)
		if i := bytes.Index(data, append([]byte("\n"), start...)); i >= 0 && isEvent(data[i+1:]) || isEvent(data) {
			return true
		}
	}
	return false
}

// What a CI system puts in front of a line.
var (
	// Colours and other commands to a terminal; those of Buildkite hold a time.
	terminalCode = regexp.MustCompile(`\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[_\]][^\x07\x1b]*(?:\x07|\x1b\\)`)
	// A time, in GitLab with the number and the name of the stream.
	timeInFront = regexp.MustCompile(`^\[?(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?(?: \d\d[OE]\+?)?(?:[ \t]|$)`)
	// The service, as Docker Compose writes it.
	service = regexp.MustCompile(`^([A-Za-z][\w.-]{0,100}) *\|(?: |$)`)
)

// bare is a line without what terminals and CI systems add to it, but for the name of
// a service, which is voice: "" if there is none.
func bare(line string) (voice, text string) {
	if strings.Contains(line, "\x1b") {
		line = terminalCode.ReplaceAllString(line, "")
	}
	line = withoutTime(strings.TrimRight(line, "\r\n"))
	if strings.Contains(line, "|") {
		if m := service.FindStringSubmatch(line); m != nil {
			return m[1], withoutTime(line[len(m[0]):])
		}
	}
	return "", line
}

func withoutTime(line string) string {
	line = strings.TrimPrefix(line, "\ufeff")
	if line == "" || line[0] != '[' && (line[0] < '0' || line[0] > '9') {
		return line
	}
	return line[len(timeInFront.FindString(line)):]
}

// afterFront is what follows in a line what stood in front of an event: each digit may
// be any number of them.
func afterFront(line, front string) string {
	i := 0
	for j := 0; j < len(front); {
		digits := digitsOf(front[j:])
		n := digitsOf(line[i:])
		switch {
		case digits > 0 && n > 0:
			i, j = i+n, j+digits
		case i < len(line) && line[i] == front[j]:
			i, j = i+1, j+1
		default:
			return line
		}
	}
	return line[i:]
}

// digitsOf is how many digits text begins with.
func digitsOf(text string) int { return len(text) - len(strings.TrimLeft(text, "0123456789")) }

// builderLine matches what Buildx prints after the progress, before its error: the
// place in the Dockerfile and hints.
var builderLine = regexp.MustCompile(`^(?:-{3,}|\s*\d+ \|.*|\S+:\d+|(?: > |>>> ).*|WARNING: .*|View build details: .*|\s*\d+ warnings? found.*|\d+\.\d+ .*| - .*)?$`)

// How an excerpt of a Dockerfile begins: with the place of what failed, and a rule.
var dockerfilePlace = regexp.MustCompile(`^\S+:[1-9]\d{0,6}$`)

const dockerfileRule = "--------------------"

// builderError is the message in a line in which a builder tells why the build failed,
// "" if it is another's: many programs write ERROR in front of what they say.
func builderError(line string) string {
	message, ok := strings.CutPrefix(line, "ERROR: ")
	if !ok {
		message, ok = strings.CutPrefix(line, "error: ") // Buildx before 0.9, buildctl
	}
	if !ok {
		return ""
	}
	message = strings.TrimPrefix(message, "failed to build: ")
	known := len(message) < len(line)-len("ERROR: ")
	if rest, ok := strings.CutPrefix(message, "failed to solve: "); ok {
		return rest
	}
	rest, isTarget := strings.CutPrefix(message, "target ")
	if _, _, ok := strings.Cut(rest, ": "); isTarget && ok {
		known = true
	}
	for _, begin := range []string{"failed to receive status: ", "context canceled", "Canceled: context canceled", "rpc error: code = "} {
		known = known || strings.HasPrefix(message, begin)
	}
	if !known {
		return ""
	}
	return message
}
