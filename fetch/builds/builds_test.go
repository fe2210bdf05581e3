package builds_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)

// full has every field set, and steps that tell more or less than their names.
var full = timeline.Build{
	ID: "ref", Trace: strings.Repeat("ab", 16), Content: "c0ffee", Pipeline: "image", Origin: timeline.Origin{Repository: "https://example.com/a/b", Revision: "0123abc", Branch: "main", PullRequest: "7", URL: "https://ci.example.com/1?a=b&c=d", Runner: "Linux/X64"},

	Start: start, Duration: 81*time.Second + 1, Resolution: time.Second, Outcome: timeline.Failed,
	Error: "exit code: 1 <html> & \u2028", Log: []string{"one", "two"}, Partial: true, Reader: 1,
	Steps: []timeline.Step{
		{
			ID: "a", Key: "[linux/amd64 build] COPY src /src", Name: "[linux/amd64 build  3/12] COPY src /src",
			Platform: "linux/amd64", Stage: "build", Index: 3, Count: 12, Start: start, Duration: 1250 * time.Millisecond,
			State: timeline.Cached, Inputs: []string{"b", "c"}, Source: dockerfile.Position{File: "Dockerfile", Line: 4}, Bytes: 5, Error: "e", Rule: 1, Body: "b0d1", Text: "RUN $X",
		},
		{Key: "[export] exporting to image", Name: "exporting to image", Stage: "export", State: timeline.StepFailed},
		{Key: "[-] RUN $X", Name: "[stage-1 2/2] RUN y", Index: 2, Count: 2, State: timeline.NeverStarted},
		// The name says more than the step: what it lacks must stay lacking.
		{Key: "k", Name: "[linux/arm64 s 1/2] RUN z"},
	},
}

func TestRoundTrip(t *testing.T) {
	for _, b := range []timeline.Build{full, {ID: "bare"}, {Start: start, ID: timeline.ContentID("", start), Steps: []timeline.Step{}}} {
		var text bytes.Buffer
		if err := builds.Encode(&text, []timeline.Build{b, b}); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(text.String(), "\n"); lines != 2 {
			t.Errorf("%d lines for 2 builds:\n%s", lines, text.String())
		}
		got, err := builds.Decode(&text, "f")
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Steps) == 0 {
			b.Steps = nil
		}
		if diff := cmp.Diff([]timeline.Build{b, b}, got); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
	}
}

func TestDecodeFillsIn(t *testing.T) {
	const line = `{"start":"2026-01-02T04:04:05+01:00","later":{"a":[1]},"steps":[
		{"name":"[linux/arm64 build 3/6] COPY src /src","duration_seconds":1.25},
		{"name":"lint","duration_seconds":2,"start":"2026-01-02T03:04:06Z","key":"lint"}]}`
	got, err := builds.Decode(strings.NewReader(strings.ReplaceAll(line, "\n", " ")), "f")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := []timeline.Build{{
		ID: got[0].ID, Start: begin, Duration: 2 * time.Second, Reader: timeline.ReaderVersion,
		Steps: []timeline.Step{
			{
				Key: "[linux/arm64 build] COPY src /src", Name: "[linux/arm64 build 3/6] COPY src /src",
				Platform: "linux/arm64", Stage: "build", Index: 3, Count: 6, Duration: 1250 * time.Millisecond,
			},
			{Key: "lint", Name: "lint", Duration: 2 * time.Second, Start: begin.Add(time.Second)},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeWrong(t *testing.T) {
	step := func(fields string) string { return `{"id":"x","steps":[{` + fields + `}]}` }
	for _, tt := range []struct{ name, line, want string }{
		{"no id", `{"steps":[]}`, "line 2: has neither id nor start"},
		{"not JSON", `hello`, "line 2: bad JSON"},
		{"cut off", `{"id":"x","steps":[`, "line 2: cut off"},
		{"no name", step(`"duration_seconds":1`), "line 2: step 1: has no name"},
		{"no duration", step(`"name":"a"`), "line 2: step 1: has no duration_seconds"},
		{"null duration", step(`"name":"a","duration_seconds":null`), "step 1: has no duration_seconds"},
		{"negative", step(`"name":"a","duration_seconds":-1`), "step 1: a duration is -1s"},
		{"NaN", step(`"name":"a","duration_seconds":NaN`), "bad JSON"},
		{"NaN as text", step(`"name":"a","duration_seconds":"NaN"`), "line 2: "},
		{"overflow", step(`"name":"a","duration_seconds":1e300`), "no usable number of seconds"},
		{"a century", step(`"name":"a","duration_seconds":3153600000`), "more than a year"},
		{"wrong type", `{"id":5}`, "line 2: id is a number"},
		{"steps wrong", `{"id":"x","steps":{}}`, "line 2: steps is a object"},
		{"unknown state", step(`"name":"a","duration_seconds":1,"state":"asleep"`), "asleep"},
		{"unknown outcome", `{"id":"x","outcome":"meh"}`, "meh"},
		{"bad time", `{"id":"x","start":"yesterday"}`, "line 2: "},
		{"year", `{"id":"x","start":"9999-12-31T23:59:59-11:00"}`, "year 10000"},
		{"resolution", `{"id":"x","resolution_seconds":61}`, "line 2: resolution_seconds is 1m1s"},
		{"negative resolution", `{"id":"x","resolution_seconds":-1}`, "line 2: resolution_seconds is -1s"},
		{"objects", `{"id":"x","steps":[` + strings.Repeat("{},", boundjson.MaxObjects) + `{}]}`, "line 2: more than 1000000 objects"},
		{"bytes", step(`"name":"a","duration_seconds":1,"bytes":-1`), "bytes are -1"},
		{"line", step(`"name":"a","duration_seconds":1,"source":{"line":-1}`), "source line is -1"},
		{"nested", strings.Repeat(`[`, 100_000), "line 2: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The lines around a bad one stay usable.
			got, err := builds.Decode(strings.NewReader(`{"id":"before"}`+"\n"+tt.line+"\n\n"+`{"id":"after"}`), "file")
			if len(got) != 2 || got[0].ID != "before" || got[1].ID != "after" {
				t.Errorf("builds %v, want those before and after", got)
			}
			var located *fetch.DecodeError
			if !errors.As(err, &located) || located.Name != "file" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
	if _, err := builds.Decode(strings.NewReader("\n \n"), "file"); !errors.Is(err, fetch.ErrNoBuilds) {
		t.Errorf("error %v, want no builds", err)
	}
}

// TestIDs checks that builds without an id, or with one that cannot be shown,
// are told apart by what they are, and that the same line is the same build.
func TestIDs(t *testing.T) {
	const at = `"start":"2026-01-02T03:04:05Z"`
	ids := map[string]int{}
	for i, line := range []string{
		`{` + at + `}`,
		`{` + at + `,"pipeline":"a"}`,
		`{` + at + `,"pipeline":"b"}`,
		`{` + at + `,"pipeline":"b","branch":"c"}`,
		`{` + at + `,"duration_seconds":5}`,
		`{` + at + `,"steps":[{"name":"a","duration_seconds":1}]}`,
		`{` + at + `,"steps":[{"name":"a","duration_seconds":0},{"name":"b","duration_seconds":1}]}`,
		`{` + at + `,"steps":[{"name":"a","duration_seconds":1},{"name":"b","duration_seconds":0}]}`,
		`{` + at + `,"steps":[{"name":"TOKEN=abcdef","duration_seconds":1}]}`,
		`{` + at + `,"steps":[{"name":"TOKEN=fedcba","duration_seconds":1}]}`,
		`{"id":"token=abcdef"}`,
		`{"id":"token=fedcba"}`,
		`{"id":"` + strings.Repeat("x", builds.MaxName) + `1"}`,
		`{"id":"` + strings.Repeat("x", builds.MaxName) + `2"}`,
	} {
		list, err := builds.Decode(strings.NewReader(line+"\n"+line), "f")
		if err != nil || len(list) != 2 || list[0].ID != list[1].ID {
			t.Fatalf("%.80s: builds %v, error %v; want the same twice", line, list, err)
		}
		id := list[0].ID
		if ids[id] > 0 {
			t.Errorf("line %d has the id %s of line %d", i+1, id, ids[id])
		}
		if strings.Contains(id, "abcdef") {
			t.Errorf("id %s shows a secret", id)
		}
		ids[id] = i + 1
		var text bytes.Buffer
		if err := builds.Encode(&text, list); err != nil {
			t.Fatal(err)
		}
		if back, err := builds.Decode(&text, "f"); err != nil || back[0].ID != id {
			t.Errorf("id %s is %s when read back, error %v", id, back[0].ID, err)
		}
	}
}

// TestEncodeIsDead checks that hostile names come out as text, and come back.
func TestEncodeIsDead(t *testing.T) {
	name := "a\x1b[31m\u009b2J \u202e\u2066 \u200b\u00ad\ufeff\U000e0041 ##vso[x] ### \u3164\ufe0f \u0085\x7f\u2028 # é \U0001f600 <b>"
	b := timeline.Build{ID: "x", Steps: []timeline.Step{{Name: name, Key: "[-] " + name}}}
	var text bytes.Buffer
	if err := builds.Encode(&text, []timeline.Build{b}); err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSuffix(text.String(), "\n")
	const want = `"name":"a\u001b[31m\u009b2J \u202e\u2066 \u200b\u00ad\ufeff\udb40\udc41 #\u0023vso[x] #\u0023\u0023 \u3164\ufe0f \u0085\u007f\u2028 # é 😀 <b>"`
	if !strings.Contains(line, want) {
		t.Errorf("got  %s\nwant %s in it", line, want)
	}
	got, err := builds.Decode(&text, "f")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]timeline.Build{b}, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestDecodeRedactsKeysOverLines(t *testing.T) {
	line := `{"id":"a","outcome":"failed","log":["before","-----BEGIN RSA PRIVATE KEY-----","MIIleak","-----END RSA PRIVATE KEY-----","after"],"steps":[]}`
	list, err := builds.Decode(strings.NewReader(line), "b.jsonl")
	if err != nil || len(list) != 1 {
		t.Fatalf("%d builds, %v", len(list), err)
	}
	if log := strings.Join(list[0].Log, "\n"); strings.Contains(log, "MIIleak") || !strings.HasPrefix(log, "before\n") || !strings.HasSuffix(log, "\nafter") {
		t.Errorf("the log is %q", log)
	}
}

func TestDecodeBounds(t *testing.T) {
	name := strings.Repeat("é", 1<<19) + "\xff"
	got, err := builds.Decode(strings.NewReader(`{"id":"x","steps":[{"name":"`+name+`","duration_seconds":1}]}`), "file")
	if err != nil {
		t.Fatal(err)
	}
	if err := buildtest.Check(&got[0]); err != nil {
		t.Error(err)
	}
	if name := got[0].Steps[0].Name; !strings.HasSuffix(name, "…") || len(name) > builds.MaxName {
		t.Errorf("name has %d bytes and ends in %q", len(name), name[len(name)-5:])
	}
	steps := `{"id":"x","steps":[` + strings.Repeat(`{"name":"a","duration_seconds":1},`, builds.MaxSteps) + `{"name":"a","duration_seconds":1}]}`
	if _, err := builds.Decode(strings.NewReader(steps), "file"); err == nil || !strings.Contains(err.Error(), "more than 20000 steps") {
		t.Errorf("error %v, want too many steps", err)
	}
	log := `{"id":"x","log":[` + strings.Repeat(`"",`, builds.MaxEntries/2) + `""]}` + "\n"
	if got, err := builds.Decode(strings.NewReader(log+log+log), "file"); len(got) != 1 || err == nil || !strings.Contains(err.Error(), "line 2: more than 100000 builds, or 1000000 steps") {
		t.Errorf("%d builds, error %v, want 1 and too many lines of log", len(got), err)
	}
	token := `{"id":"x","steps":[{"name":"RUN curl -H 'Authorization: Bearer abcdefghijklmnop'","duration_seconds":1}]}`
	got, err = builds.Decode(strings.NewReader(token), "file")
	if err != nil || strings.Contains(got[0].Steps[0].Name, "abcdefgh") {
		t.Errorf("%v, %v: the token stands", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	var text bytes.Buffer
	if err := builds.Encode(&text, []timeline.Build{full, {ID: "x"}}); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add([]byte(`{"id":"x","steps":[{"name":"[a 1/2] RUN x","duration_seconds":1e2,"start":"2026-01-02T03:04:05Z"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, _ := builds.Decode(bytes.NewReader(data), "f")
		for i := range list {
			if err := buildtest.Check(&list[i]); err != nil {
				t.Error(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	many := make([]timeline.Build, 100)
	for i := range many {
		many[i] = full
	}
	var text bytes.Buffer
	if err := builds.Encode(&text, many); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if _, err := builds.Decode(bytes.NewReader(text.Bytes()), "f"); err != nil {
			b.Fatal(err)
		}
	}
}
