package file

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/boundjson"
)

// What cannot be judged is named, with what to give instead: people hand over what
// their tools gave them, and few of those outputs have the times that are needed.

// What to give instead.
const (
	giveRawJSON  = "it has no exact times; build with --progress=rawjson"
	giveAny      = "give a build record, the output of --progress=rawjson, a trace or a builds file"
	giveMetadata = "give buildx:@FILE, which takes the build's record from the builder"
	giveExport   = "it has no steps; docker buildx history export gives the build's record, buildx:REF takes it from the builder"
	giveSteps    = "github-steps://OWNER/NAME reads the steps of jobs from GitHub"
	giveUnpacked = "unpack it first; gzip, zip and zstd are read as they are"
	giveBuilt    = "it says how to build; give what the build printed or recorded"
)

var errLaidOut = errors.New("looks like a progress log laid out over several lines, as by jq: each event must stand in one line (jq -c .)")

// A hint is what an input looks like, and what to give instead.
type hint struct{ what, give string }

func (h hint) error() error { return fmt.Errorf("looks like %s: %s", h.what, h.give) }

// unsupported says what the data in the file of this name looks like, and what to do
// about it.
func unsupported(name string, data []byte) error {
	if message := errorMessage(data); message != "" {
		return fmt.Errorf("an answer that tells of an error: %s", message)
	}
	data = bytes.TrimSpace(data)
	if data[0] == '{' || data[0] == '[' {
		if h, ok := jsonHint(data); ok {
			h.give = strings.Replace(h.give, "@FILE", "@"+name, 1)
			return h.error()
		}
	}
	if h, ok := beginningHint(data); ok {
		return h.error()
	}
	start := data[:min(len(data), 512)]
	if bytes.IndexByte(start, 0) >= 0 || !utf8.Valid(start[:max(0, len(start)-utf8.UTFMax)]) {
		return hint{"binary data", giveAny}.error()
	}
	if err := textHint(data); err != nil {
		return err
	}
	if data[0] == '{' || data[0] == '[' {
		return errors.New("looks like JSON: but is neither a trace, a progress log nor a builds file, or is cut off at its start")
	}
	return hint{"plain text", giveAny}.error()
}

// beginningHint knows data by its first bytes.
func beginningHint(data []byte) (hint, bool) {
	text := strings.ToLower(string(data[:min(len(data), 64)]))
	for _, known := range []struct {
		prefix string
		hint
	}{
		{"<!doctype html", hint{"HTML", "a login page, or a page about the file?"}},
		{"<html", hint{"HTML", "a login page, or a page about the file?"}},
		{"<", hint{"XML", giveAny}},
		{"\x7felf", hint{"a program", giveAny}},
		{"error:", hint{"the end of a progress log", "a whole one has a line of JSON for each event; build with --progress=rawjson"}},
		{"# syntax", hint{"a Dockerfile", giveBuilt}},
	} {
		if strings.HasPrefix(text, known.prefix) {
			return known.hint, true
		}
	}
	for prefix, what := range map[string]string{"\xfd7zXZ\x00": "xz", "BZh": "bzip2", "\x04\x22\x4d\x18": "lz4", "7z\xbc\xaf": "7-Zip"} {
		if bytes.HasPrefix(data, []byte(prefix)) {
			return hint{what, giveUnpacked}, true
		}
	}
	return hint{}, false
}

// textLines know text by a line in it, wherever it stands.
var textLines = []struct {
	line *regexp.Regexp
	hint
}{
	{regexp.MustCompile(`^\[\+\] Building \d|^ ?=> \[?\S+.* \d+\.\d+s$`), hint{"the progress of a build as a terminal shows it", giveRawJSON}},
	{regexp.MustCompile(`^#\d+ (?:building with |\[|DONE |CACHED$|sha256:|exporting |importing |resolve |transferring |ERROR)`), hint{"the plain progress of a build", giveRawJSON}},
	{regexp.MustCompile(`^Step \d+/\d+ : |^Sending build context to Docker daemon`), hint{"the output of Docker's old builder", "it has no times; build with BuildKit and --progress=rawjson"}},
	{regexp.MustCompile(`^ResourceSpans #\d+$`), hint{"what the debug exporter of OpenTelemetry's collector prints", "its file exporter writes what can be read"}},
	{regexp.MustCompile(`^\s*instrumentationScope: \{`), hint{"what the console exporter of OpenTelemetry prints", "export OTLP"}},
	{regexp.MustCompile(`^STEP \d+(?:/\d+)?: `), hint{"the output of Buildah or Podman", "it has no times; only builds of BuildKit can be judged"}},
}

// laidOut is the first line of an event that has more lines.
var laidOut = regexp.MustCompile(`^\s*"vertexes":\s*\[$`)

// A Dockerfile begins with FROM, or with arguments for it.
var (
	dockerfileArg  = regexp.MustCompile(`(?i)^ARG\s+\w+`)
	dockerfileFrom = regexp.MustCompile(`(?i)^FROM\s+(?:--platform=\S+\s+)?[\w$][^\s:]*(?::\S+)?(?:\s+AS\s+\S+)?\s*$`)
)

// textHint knows text by one of its lines, nil if it does not.
func textHint(data []byte) error {
	const longest, most = 1 << 10, 16 << 20 // bytes of a line, and of all that are looked at
	isFirst := true                         // of what is no comment
	for line := range bytes.Lines(data[:min(len(data), most)]) {
		_, text := bare(string(line[:min(len(line), longest)]))
		text = strings.TrimRight(text, " \t")
		for _, known := range textLines {
			if known.line.MatchString(text) {
				return known.error()
			}
		}
		if laidOut.MatchString(text) {
			return errLaidOut
		}
		if isFirst && dockerfileFrom.MatchString(text) {
			return hint{"a Dockerfile", giveBuilt}.error()
		}
		isFirst = isFirst && (text == "" || text[0] == '#' || dockerfileArg.MatchString(text))
	}
	return nil
}

// jsonFields know JSON by a field of its first object.
var jsonFields = map[string]hint{
	"buildx.build.ref":             {"the output of --metadata-file", giveMetadata},
	"buildx.build.provenance":      {"the output of --metadata-file", giveMetadata},
	"buildx.build.warnings":        {"the output of --metadata-file", giveMetadata},
	"containerimage.digest":        {"the output of --metadata-file", giveMetadata},
	"containerimage.config.digest": {"the output of --metadata-file", giveMetadata},
	"containerimage.descriptor":    {"the output of --metadata-file", giveMetadata},
	"image.name":                   {"the output of --metadata-file", giveMetadata},
	"NumCompletedSteps":            {"the output of docker buildx history inspect", giveExport},
	"NumTotalSteps":                {"the output of docker buildx history inspect", giveExport},
	"VCSRepository":                {"the output of docker buildx history inspect", giveExport},
	"BuildArgs":                    {"the output of docker buildx history inspect", giveExport},
	"completed_steps":              {"the output of docker buildx history ls", giveExport},
	"total_steps":                  {"the output of docker buildx history ls", giveExport},
	"buildDefinition":              {"the provenance of a build", giveExport},
	"buildType":                    {"the provenance of a build", giveExport},
	"predicateType":                {"an attestation", giveExport},
	"jobs":                         {"the jobs of a workflow run of GitHub", giveSteps},
	"workflow_runs":                {"the workflow runs of GitHub", giveSteps},
	"workflow_job":                 {"a webhook of GitHub", giveSteps},
	"workflow_run":                 {"a webhook of GitHub", giveSteps},
	"run_id":                       {"a job of a workflow run of GitHub", giveSteps},
	"run_attempt":                  {"a workflow run of GitHub", giveSteps},
	"databaseId":                   {"a job or a workflow run of GitHub", giveSteps},
	"artifacts":                    {"the artifacts of a workflow run of GitHub", "github://OWNER/NAME reads the build records among them"},
	"schemaVersion":                {"the manifest of an image", giveBuilt},
	"RootFS":                       {"the output of docker image inspect", giveBuilt},
	"traceEvents":                  {"a trace for Chrome", "it is no OTLP; " + giveAny},
}

// jsonHint knows JSON by the fields of its first object, or of the objects in that:
// a bake's metadata are in one for each target.
func jsonHint(data []byte) (hint, bool) {
	for value, err := range boundjson.Values(data) {
		if err != nil {
			return hint{}, false
		}
		data = value
		break
	}
	for element := range boundjson.Elements(data) {
		data = element
		break
	}
	var target, group bool
	for name, value := range boundjson.Fields(data) {
		if h, ok := jsonFields[name]; ok {
			return h, true
		}
		target, group = target || name == "target", group || name == "group"
		for inner := range boundjson.Fields(value) {
			if h, ok := jsonFields[inner]; ok && h.give == giveMetadata {
				return h, true
			}
		}
	}
	return hint{"the definition of a bake", giveBuilt}, target && group
}

// errorMessage is the message of an answer of Jaeger's or any like API that holds
// an error alone, "" if data is none.
func errorMessage(data []byte) string {
	const most = 64 << 10
	var answer struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if len(data) > most || boundjson.Unmarshal(data, &answer) != nil {
		return ""
	}
	return fetch.Clean(answer.Error.Message, 200)
}
