package file

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

// inPieces cuts text into pieces of so many bytes, as daemons do with long lines.
func inPieces(text string, size int) (pieces []string) {
	for len(text) > size {
		pieces, text = append(pieces, text[:size]), text[size:]
	}
	return append(pieces, text)
}

// inJSON is an object of these fields.
func inJSON(fields map[string]any) string {
	text, _ := json.Marshal(fields) // texts always marshal
	return string(text) + "\n"
}

// wrapEach wraps each line of a log in an object.
func wrapEach(log string, fields func(line string) map[string]any) []byte {
	var out strings.Builder
	for line := range strings.Lines(log) {
		out.WriteString(inJSON(fields(strings.TrimSuffix(line, "\n"))))
	}
	return []byte(out.String())
}

// wrappedLogs is a log as others keep it.
func wrappedLogs(log string) map[string][]byte {
	const most = 250 // bytes that a daemon takes of a line, much less than the 16 KiB of real ones
	var docker, cri strings.Builder
	for line := range strings.Lines(log) {
		pieces := inPieces(strings.TrimSuffix(line, "\n"), most)
		for i, piece := range pieces {
			end, tag := "", "P"
			if i == len(pieces)-1 {
				end, tag = "\n", "F"
			}
			docker.WriteString(inJSON(map[string]any{"log": piece + end, "stream": "stderr", "time": "2026-11-22T14:00:00.1Z"}))
			fmt.Fprintf(&cri, "2026-11-22T14:00:00.123456789Z stderr %s %s\n", tag, piece)
			if i == 0 {
				docker.WriteString(inJSON(map[string]any{"log": "something else\n", "stream": "stdout", "time": "2026-11-22T14:00:00.1Z"}))
				cri.WriteString("2026-11-22T14:00:00.123456789Z stdout F something else\n")
			}
		}
	}
	each := func(name string) []byte {
		return wrapEach(log, func(line string) map[string]any {
			return map[string]any{"@timestamp": "2026-11-22T14:00:00Z", name: line, "kubernetes": map[string]string{"pod_name": "ci"}, "level": "info"}
		})
	}
	return map[string][]byte{
		"Docker's json-file": []byte(docker.String()),
		"Kubernetes' nodes":  []byte(cri.String()),
		"fluent-bit":         each("log"),
		"CloudWatch, Vector": each("message"),
		"Loki's logcli": wrapEach(log, func(line string) map[string]any {
			return map[string]any{"labels": map[string]string{"a": "b"}, "line": line, "timestamp": "2026-11-22T14:00:00Z"}
		}),
		"journald":               each("MESSAGE"),
		"Google Cloud":           each("textPayload"),
		"behind what is no JSON": append([]byte("logs of ci\n"), docker.String()...),
		"one in the other":       wrapEach(cri.String(), func(line string) map[string]any { return map[string]any{"message": line} }),
	}
}

// Traces in the lines of a program that prints them are traces.
func TestWrappedTraces(t *testing.T) {
	want := open(t, "alpha/otlp/001.json.gz")
	document := string(buildtest.Recording(t, "alpha/otlp/001.json.gz"))
	got, warnings, err := Decode(t.Context(), "f", wrapEach(strings.ReplaceAll(document, "\n", "")+"\n", func(line string) map[string]any {
		return map[string]any{"log": line + "\n", "stream": "stdout", "time": "2026-11-22T14:00:00Z"}
	}))
	if diff := cmp.Diff(want, got); diff != "" || len(warnings) > 0 || err != nil {
		t.Errorf("warnings %v, error %v, (-want +got):\n%s", warnings, err, diff)
	}
}

// What holds a log in a way that is not read says whose it is.
func TestWrappedElsewhere(t *testing.T) {
	const event = `{"vertexes":[{"digest":"sha256:1","name":"[1/1] RUN a"}]}`
	for name, test := range map[string]struct{ data, what, give string }{
		"the plain progress in Docker's json-file": {inJSON(map[string]any{"log": "#5 [1/3] FROM docker.io/library/alpine\n", "stream": "stderr", "time": "2026-01-01T00:00:00Z"}), "the plain progress of a build", "--progress=rawjson"},
		"an answer of Loki":                        {inJSON(map[string]any{"status": "success", "data": map[string]any{"result": []any{map[string]any{"stream": map[string]string{}, "values": [][]string{{"1", event}}}}}}), "an answer of Loki", "jq -r"},
		"events of CloudWatch":                     {inJSON(map[string]any{"events": []any{map[string]any{"message": event, "ingestionTime": 1}}}), "events of CloudWatch", "jq -r"},
		"logs of OpenTelemetry":                    {inJSON(map[string]any{"resourceLogs": []any{map[string]any{"body": event}}}), "logs of OpenTelemetry", "bodies"},
		"a list of messages":                       {"[" + inJSON(map[string]any{"message": event}) + "]", "lines stand in strings", "jq -r"},
		"CSV":                                      {"time,message\n1,\"" + strings.ReplaceAll(event, `"`, `""`) + "\"\n", "CSV", "as text"},
		"another program's log":                    {inJSON(map[string]any{"message": "hello", "level": "info"}), "looks like JSON", ""},
	} {
		list, _, err := Decode(t.Context(), "f", []byte(test.data))
		if err == nil || len(list) > 0 || !strings.Contains(err.Error(), test.what) || !strings.Contains(err.Error(), test.give) {
			t.Errorf("%s: %d builds, %v; want %q and %q", name, len(list), err, test.what, test.give)
		}
	}
}
