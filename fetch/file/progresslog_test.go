package file

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/google/go-cmp/cmp"
)

// logOf is the log of a recorded build.
func logOf(tb testing.TB, name string) string {
	tb.Helper()
	return string(buildtest.Recording(tb, "beta/rawjson/"+name+".jsonl.gz"))
}

// inFront writes each line of a log behind what front makes of its number.
func inFront(log string, front func(i int) string) string {
	var b strings.Builder
	i := 0
	for line := range strings.Lines(log) {
		b.WriteString(front(i) + line)
		i++
	}
	return b.String()
}

// utf16Of is text in UTF-16.
func utf16Of(text string, order binary.AppendByteOrder) []byte {
	var data []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		data = order.AppendUint16(data, unit)
	}
	return data
}

// handedOut are logs as CI systems hand them out.
func handedOut(log string) map[string][]byte {
	clock := func(i int) string { return fmt.Sprintf("%02d:%02d:%02d", i/3600, i/60%60, i%60) }
	crlf := strings.ReplaceAll(log, "\n", "\r\n")
	return map[string][]byte{
		"GitHub":             []byte("2026-11-22T14:00:00.0000000Z ##[group]Run docker buildx build\n" + inFront(log, func(i int) string { return "2026-11-22T" + clock(i) + ".1234567Z " })),
		"GitLab":             []byte(inFront(log, func(i int) string { return "2026-11-22T" + clock(i) + ".123456Z 0" + fmt.Sprint(i%2) + "E " })),
		"Jenkins":            []byte(inFront(log, func(i int) string { return "[2026-11-22T" + clock(i) + ".123Z] " })),
		"Jenkins, time only": []byte(inFront(log, func(i int) string { return "[" + clock(i) + "] " })),
		"Buildkite":          []byte(inFront(log, func(i int) string { return fmt.Sprintf("\x1b_bk;t=17000000%05d\x07", i) })),
		"colours":            []byte(strings.ReplaceAll(inFront(log, func(int) string { return "\x1b[0K\x1b[36m" }), "\n", "\x1b[0m\n")),
		"Compose": []byte("Attaching to builder-1, db-1\n" + inFront(log, func(i int) string {
			return "db-1       | ERROR: failed to solve: no such table\nbuilder-1  | "
		})),
		"Compose, with times": []byte(inFront(log, func(i int) string { return "\x1b[33mbuilder-1  | \x1b[0m2026-11-22T" + clock(i) + "Z " })),
		"gh run view": []byte(inFront(log, func(i int) string { return "build\tBuild image\t2026-11-22T" + clock(i) + ".1234567Z " }) +
			"build\tTest\t2026-11-22T16:00:00.1234567Z ERROR: failed to solve: no such table\n"),
		"Woodpecker":                   []byte(inFront(log, func(i int) string { return fmt.Sprintf("[build:L%d:%ds] ", i, i/7) })),
		"containerd":                   []byte(inFront(log, func(i int) string { return "2026-11-22T" + clock(i) + ".123456789+02:00 stderr F " })),
		"behind other lines":           []byte(strings.Repeat("npm http fetch GET 200\n{\"level\":\"info\",\"trace\":\"a\"}\n", 2000) + log),
		"JSON lines before":            []byte("{\"pipeline\":\"x\",\"steps\":1}\n{\"a\":\n" + log),
		"CRLF":                         []byte(crlf),
		"UTF-8 with mark":              []byte("\ufeff" + crlf),
		"UTF-16 LE":                    utf16Of("\ufeff"+crlf, binary.LittleEndian),
		"UTF-16 BE":                    utf16Of("\ufeff"+crlf, binary.BigEndian),
		"UTF-16, no mark":              utf16Of(log, binary.LittleEndian),
		"half a line in front of each": []byte(inFront(log, func(int) string { return "Uploading artifact 45%" })),
		"one glued to each":            []byte(strings.ReplaceAll(log, "}\n", "}Uploading artifact 45%\n")),
		"two glued together":           []byte(strings.ReplaceAll(log, "}\n{", "}{")),
	}
}

// A log is read wherever it comes from, and shows the same build.
func TestLogAsHandedOut(t *testing.T) {
	for _, name := range []string{"push", "failed", "bake-failed", "dockerfile-error", "cancelled"} {
		want := open(t, "beta/rawjson/"+name+".jsonl.gz")
		all := handedOut(logOf(t, name))
		maps.Copy(all, wrappedLogs(logOf(t, name)))
		for from, data := range all {
			got, warnings, err := Decode(t.Context(), "f", data)
			if err != nil || len(warnings) > 0 {
				t.Errorf("%s of %s: warnings %v, error %v", name, from, warnings, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", name, from, diff)
			}
		}
	}
}

// What else stands in a log tells nothing of how the build ended.
func TestErrorsOfOthers(t *testing.T) {
	const pip = "ERROR: pip's dependency resolver does not currently take into account all the packages that are installed.\n"
	const builder = "ERROR: failed to build: failed to solve: failed to push 127.0.0.1:5055/app: unauthorized\n"
	const excerpt = "Dockerfile:18\n--------------------\n  17 |     RUN a\n  18 | >>> RUN b\n--------------------\n"
	ok, failed, killed := logOf(t, "push"), logOf(t, "failed"), logOf(t, "killed")
	// A cache that cannot be written, of which Buildx's own log tells first.
	const noFolder = "commit failed: rpc error: code = Unknown desc = mkdir /nowhere/blobs: not a directory"
	const buildx = "ERROR: (*service).Write failed: rpc error: code = Unknown desc = mkdir /nowhere/blobs: not a directory\n"
	noCache := ok + `{"vertexes":[{"digest":"sha256:` + strings.Repeat("5", 64) + `","name":"exporting cache to client directory","started":"2026-11-20T10:00:00Z","completed":"2026-11-20T10:00:01Z","error":"` + noFolder + `"}]}` + "\n" + buildx
	gha := func(said string) string {
		return ok + `{"vertexes":[{"digest":"sha256:` + strings.Repeat("6", 64) + `","name":"exporting to GitHub Actions Cache","started":"2026-11-20T10:00:00Z","completed":"2026-11-20T10:00:01Z","error":"maximum timeout reached"}]}` + "\n" + said
	}
	for name, tt := range map[string]struct {
		log     string
		outcome timeline.Outcome
		err     string
	}{
		"pip, at once":                {ok + pip, timeline.OK, ""},
		"pip, later":                  {ok + "+ pip install\n" + strings.Repeat("Collecting a\n", 300) + pip, timeline.OK, ""},
		"before the build":            {builder + ok, timeline.OK, ""},
		"another builder, later":      {ok + "+ pack build\n===> BUILDING\nERROR: failed to build: executing lifecycle: failed with status code: 51\n", timeline.OK, ""},
		"a plain build, later":        {ok + "#0 building with \"r\"\n#5 ERROR: exit code: 1\n------\n > [2/2] RUN x:\n------\nERROR: failed to solve: exit code: 1\n", timeline.OK, ""},
		"of another service":          {ok + "db | ERROR: failed to solve: no such table\n", timeline.OK, ""},
		"the runner's":                {ok + "ERROR: Job failed: exit code 1\n", timeline.OK, ""},
		"the builder's":               {ok + builder, timeline.Failed, "failed to push 127.0.0.1:5055/app: unauthorized"},
		"the builder's, with excerpt": {ok + "------\n > pushing:\n12.3 ERROR: pip\n------\n" + excerpt + builder, timeline.Failed, "failed to push 127.0.0.1:5055/app: unauthorized"},
		"the builder's, then others":  {ok + builder + pip + "ERROR: failed to solve: x\n", timeline.Failed, "failed to push 127.0.0.1:5055/app: unauthorized"},
		"an old builder's":            {ok + "error: failed to solve: rpc error: code = Unknown desc = denied\n", timeline.Failed, "rpc error: code = Unknown desc = denied"},
		"the connection broke":        {ok + "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF\n", timeline.Failed, "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF"},
		"called off":                  {ok + "ERROR: failed to build: failed to solve: Canceled: context canceled\n", timeline.Cancelled, "Canceled: context canceled"},
		"a cache is not written":      {noCache + "ERROR: failed to build: failed to solve: error writing layer blob: " + noFolder + "\n", timeline.Failed, "error writing layer blob: " + noFolder},
		"that is ignored":             {noCache, timeline.OK, ""},
		"that is, then others":        {noCache + "ERROR: failed to solve: no such table\n", timeline.OK, ""},
		"GitHub's cache":              {gha("ERROR: failed to build: failed to solve: maximum timeout reached\n"), timeline.Failed, "maximum timeout reached"}, // written by hand
		"GitHub's cache, ignored":     {gha(""), timeline.OK, ""},
		"of a step":                   {failed + pip, timeline.Failed, `process "/bin/sh -c sh work.sh test 3 --fail" did not complete successfully: exit code: 1`},
		"of a step, without a word":   {failed[:strings.Index(failed, "\nDockerfile:18")+1] + pip, timeline.Failed, `process "/bin/sh -c sh work.sh test 3 --fail" did not complete successfully: exit code: 1`},
		"cut, then the runner's":      {killed + "ERROR: Job failed: execution took longer than 1h0m0s seconds\n", timeline.Cancelled, "the progress log breaks off"},
		"cut, then the builder's":     {killed + "Terminated\nERROR: failed to build: failed to receive status: rpc error: EOF\n", timeline.Failed, "failed to receive status: rpc error: EOF"},
	} {
		list, warnings, err := Decode(t.Context(), "f", []byte(tt.log))
		if err != nil || len(list) != 1 || len(warnings) > 0 {
			t.Errorf("%s: %d builds, warnings %v, error %v", name, len(list), warnings, err)
			continue
		}
		if b := list[0]; b.Outcome != tt.outcome || !strings.HasPrefix(b.Error, tt.err) || (b.Error == "") != (tt.err == "") {
			t.Errorf("%s: %v, error %q; want %v, %q", name, b.Outcome, b.Error, tt.outcome, tt.err)
		}
	}
}

// Builds that stand in one log are what they are each by itself.
func TestSeveralInOneLog(t *testing.T) {
	const command = "+ docker buildx build --progress=rawjson .\n"
	const noOutput = "WARNING: No output specified with remote driver. Build result will only remain in the build cache.\n"
	withoutExport := func(log string) string {
		var b strings.Builder
		for line := range strings.Lines(log) {
			if !strings.Contains(line, `"exporting to `) {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	compose := func(logs ...string) string {
		var lines [][]string
		for i, log := range logs {
			lines = append(lines, slices.Collect(strings.Lines(inFront(log, func(int) string { return fmt.Sprintf("b-%d  | ", i) }))))
		}
		var b strings.Builder
		for i := range 1000 {
			for _, l := range lines {
				if i < len(l) {
					b.WriteString(l[i])
				}
			}
		}
		return b.String()
	}
	test, push, failed, bake := withoutExport(logOf(t, "warm-same")), logOf(t, "push"), logOf(t, "failed"), logOf(t, "bake-two")
	killed, syntax := logOf(t, "killed"), logOf(t, "dockerfile-error")
	for name, tt := range map[string]struct {
		log  string
		each []string
	}{
		"a target, then the image":   {test + noOutput + push, []string{test, push}},
		"with commands":              {command + test + command + push, []string{test, push}},
		"with times":                 {inFront(test+command+push, func(int) string { return "2026-11-22T14:00:00Z " }), []string{test, push}},
		"failed, then tried again":   {failed + push, []string{failed, push}},
		"called off, then again":     {logOf(t, "cancelled") + "retrying\n" + push, []string{logOf(t, "cancelled"), push}},
		"cut, then tried again":      {killed + "Terminated\n" + push, []string{killed, push}},
		"a bad Dockerfile, then one": {syntax + push, []string{syntax, push}},
		"a bake, then a build":       {bake + push, []string{bake, push}},
		"a build, then a bake":       {push + bake, []string{push, bake}},
		"two bakes":                  {bake + command + logOf(t, "bake-two-warm"), []string{bake, logOf(t, "bake-two-warm")}},
		"a bake that fails, again":   {logOf(t, "bake-failed") + bake, []string{logOf(t, "bake-failed"), bake}},
		"three":                      {test + push + failed, []string{test, push, failed}},
		"two services":               {compose(push, failed), []string{push, failed}},
	} {
		var want []timeline.Build
		for _, log := range tt.each {
			list, _, err := Decode(t.Context(), "f", []byte(log))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, list...)
		}
		got, warnings, err := Decode(t.Context(), "f", []byte(tt.log))
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: warnings %v, error %v", name, warnings, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %d builds, want %d (-want +got):\n%.3000s", name, len(got), len(want), diff)
		}
	}
}

// The events of more services than are told apart are left, and mixed into no other's build.
func TestManyServices(t *testing.T) {
	log := logOf(t, "push")
	var all strings.Builder
	for i := range maxVoices + 1 {
		all.WriteString(inFront(log, func(int) string { return fmt.Sprintf("b-%d  | ", i) }))
	}
	list, warnings, err := Decode(t.Context(), "f", []byte(all.String()))
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Error(), "more than 100 services build (and ") {
		t.Errorf("warnings %v, error %v", warnings, err)
	}
	want, _, err := Decode(t.Context(), "f", []byte(log))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, list); diff != "" { // the same build of each, which is one
		t.Errorf("%d builds (-want +got):\n%.3000s", len(list), diff)
	}
}

// The archive of a run's logs has each job's log, and once more that of its steps.
func TestArchiveOfLogs(t *testing.T) {
	log := []byte(logOf(t, "push"))
	bake := []byte(logOf(t, "bake-two"))
	archive := zipOf(map[string][]byte{"0_build.txt": append([]byte("##[group]Set up\n"), log...), "build/3_Build.txt": log, "build/4_Bake.txt": bake})
	list, warnings, err := Decode(t.Context(), "f", archive)
	if err != nil || len(warnings) > 0 || len(list) != 3 {
		t.Errorf("%d builds, warnings %v, error %v; want 3 builds", len(list), warnings, err)
	}
}

// One damaged line, whichever it is, is a warning: it neither ends the build nor
// changes the time of a step that is judged.
func TestOneDamagedLine(t *testing.T) {
	log := bytes.SplitAfter(buildtest.Recording(t, "beta/rawjson/push.jsonl.gz"), []byte("\n"))
	want := open(t, "beta/rawjson/push.jsonl.gz")[0]
	times := map[string]timeline.Step{}
	for _, s := range want.Steps {
		times[s.ID] = s
	}
	const noise = "Uploading artifact 45%"
	for i, line := range log[:len(log)-1] {
		if len(line) < 40 || line[0] != '{' {
			continue
		}
		for name, damaged := range map[string]string{
			"in the beginning":      string(line[:5]) + noise + string(line[5:]),
			"in the digest":         string(line[:60]) + noise + string(line[60:]),
			"in the middle":         string(line[:len(line)/2]) + noise + "\n" + string(line[len(line)/2:]),
			"in the end":            string(line[:len(line)-3]) + noise + "\n",
			"without its end":       string(line[:len(line)-10]) + "\n",
			"glued onto the next":   string(line[:len(line)-10]),
			"without its beginning": string(line[30:]),
		} {
			in := slices.Concat(bytes.Join(log[:i], nil), []byte(damaged), bytes.Join(log[i+1:], nil))
			got, warnings, err := Decode(t.Context(), "f", in)
			if err != nil || len(got) != 1 || len(warnings) > 1 {
				t.Fatalf("line %d, %s: %d builds, warnings %v, error %v", i+1, name, len(got), warnings, err)
			}
			isLast := i == len(log)-2 && !strings.HasSuffix(damaged, "}\n")
			if got[0].Outcome != timeline.OK && !isLast {
				t.Errorf("line %d, %s: %v: %s\n%s", i+1, name, got[0].Outcome, got[0].Error, line)
			}
			for _, s := range got[0].Steps {
				if s.State == timeline.Executed && s.Duration != times[s.ID].Duration {
					t.Errorf("line %d, %s: %s took %v, want %v", i+1, name, s.Name, s.Duration, times[s.ID].Duration)
				}
			}
		}
	}
}

// A log that ends before its build does is cut, wherever it ends.
func TestCutLog(t *testing.T) {
	log := buildtest.Recording(t, "beta/rawjson/push.jsonl.gz")
	export := bytes.Index(log, []byte(`"exporting to image"`))
	end := export + bytes.Index(log[export:], []byte(`"completed"`))
	begin := bytes.Index(log, []byte(`"started"`))
	for at := begin + 60; at < end; at += 997 {
		list, warnings, err := Decode(t.Context(), "f", log[:at])
		if err != nil || len(list) != 1 || len(warnings) > 1 {
			t.Fatalf("%d bytes: %d builds, warnings %v, error %v", at, len(list), warnings, err)
		}
		// All steps that were announced may be done, and the export may come yet.
		isDone := !slices.ContainsFunc(list[0].Steps, func(s timeline.Step) bool {
			return s.State == timeline.Interrupted || s.State == timeline.NeverStarted || s.Stage == "export"
		})
		if want := timeline.Cancelled; list[0].Outcome != want && (!isDone || list[0].Steps[len(list[0].Steps)-1].Count == 0) {
			t.Errorf("%d bytes: %v: %s", at, list[0].Outcome, list[0].Error)
		}
	}
}
