package report

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/stepname"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/file"
)

var cellName = regexp.MustCompile("(?m)^\\| (`+) ?(.*?) ?`+(?: ◆)? \\| ")

// shownNames are the names of steps that reports on a build show, by where they do.
func shownNames(t *testing.T, r *detect.Report) map[string][]string {
	t.Helper()
	shown := map[string][]string{}
	for _, width := range []int{40, 80, 200} {
		var text bytes.Buffer
		if err := Text(&text, r, TextOptions{Width: width}); err != nil {
			t.Fatal(err)
		}
		_, table, _ := strings.Cut("\n"+text.String(), "\nStep  ")
		table, _, _ = strings.Cut(table, "\n\n")
		for _, row := range strings.Split(table, "\n")[1:] {
			if name, _, is := strings.Cut(row, "  "); is && !strings.HasPrefix(row, " ") {
				shown["text"] = append(shown["text"], name)
			}
		}
	}
	var markdown bytes.Buffer
	if err := Markdown(&markdown, r, Code{}); err != nil {
		t.Fatal(err)
	}
	for _, cell := range cellName.FindAllStringSubmatch(markdown.String(), -1) {
		shown["markdown"] = append(shown["markdown"], cell[2], strings.ReplaceAll(cell[2], `\|`, "|"))
	}
	for i := range r.Results {
		n := newNames(&r.Results[i])
		for j := range r.Results[i].Steps {
			s := &r.Results[i].Steps[j]
			shown["json"] = append(shown["json"], s.Key, s.Name)
			shown["explain"] = append(shown["explain"], Clean(s.Key))
			shown["sentence"] = append(shown["sentence"], "`"+cut(Clean(n.of(s)), maxTextName)+"`", codeSpan(Clean(n.of(s)), maxSentenceName))
			if a := acceptance(s, n, "0123456789"); a != nil {
				_, line, _ := strings.Cut(a[1].text, "{step: ")
				line, _, _ = strings.Cut(line, ", since")
				var name string
				fmt.Sscanf(line, "%q", &name)
				shown["accept"] = append(shown["accept"], name)
			}
		}
	}
	return shown
}

// checkNames asks of each name that reports show whether it means its step, and no other
// one that reports tell from it.
func checkNames(t *testing.T, where string, build *timeline.Build) (asked int) {
	t.Helper()
	r := detect.NewReport([]detect.Result{detect.Judge(build, nil, detect.Policy{})}, nil, nil)
	result := &r.Results[0]
	steps, n := result.StepNames(), newNames(result)
	for format, names := range shownNames(t, &r) {
		for _, name := range names {
			asked++
			found := stepname.Find(name, steps)
			if len(found) == 0 {
				t.Errorf("%s: %s shows %q, which means none", where, format, name)
			}
			for _, i := range found {
				s, first := &result.Steps[i], &result.Steps[found[0]]
				if n.of(s) != n.of(first) && s.Key != first.Key {
					t.Errorf("%s: %s shows %q, which means %q and %q", where, format, name, first.Name, s.Name)
				}
			}
		}
	}
	return asked
}

// A name in a report is a name that the tool takes: of all recordings, whatever tells of
// them.
func TestNamesOfRecordingsAreTaken(t *testing.T) {
	files, err := filepath.Glob("../testdata/builds/*/*/*")
	if err != nil {
		t.Fatal(err)
	}
	asked, seen := 0, map[string]bool{}
	for _, path := range files {
		builds, _, err := file.Open(t.Context(), path, file.Options{})
		if err != nil && len(builds) == 0 {
			t.Fatal(err)
		}
		for i := range builds {
			var names strings.Builder
			for _, s := range builds[i].Steps {
				names.WriteString(s.Key + "\n" + s.Name + "\n")
			}
			if !seen[names.String()] { // many builds have the same
				seen[names.String()] = true
				asked += checkNames(t, path, &builds[i])
			}
		}
	}
	if asked < 5_000 {
		t.Errorf("%d names of %d files", asked, len(files))
	}
}

// So is one that reports had to write in another way: what is invisible, obeyed or markup.
func TestOddNamesAreTaken(t *testing.T) {
	long := strings.Repeat("x", 70)
	for _, names := range [][]string{
		{"[b 1/3] RUN rm -rf /tmp/*", "[b 2/3] RUN rm -rf /tmp/a", "[b 3/3] RUN rm -rf /tmp/?"},
		{"[b 1/2] RUN echo `date`", "[b 2/2] RUN echo ``date``"},
		{"[b 1/2] RUN \x1b[31mred\x1b[0m", "[b 2/2] RUN \x1b]0;title\x07blue"},
		{"[b 1/2] RUN echo ::error::boo ##[set-output] ##vso[task.x]", "[b 2/2] RUN echo std::string"},
		{"[b 1/2] RUN a | b || c \\| d", "[b 2/2] RUN a | b"},
		{"[b 1/2] RUN <script>@everyone #12 https://x.example</script>", "[b 2/2] RUN **bold** _x_ ![a](b)"},
		{"[b 1/2] RUN a\u202eb\u200bc\ufe0f\u3164d", "[b 2/2] RUN a\tb\nc   d"},
		{"[b 1/2] RUN e" + strings.Repeat("\u0301", 20) + "f", "[b 2/2] RUN 日本語 " + strings.Repeat("語", 60)},
		{"[b 1/3] RUN a" + long + " 1.0 " + long + "b", "[b 2/3] RUN c" + long + " 2.0 " + long + "d", "[b 3/3] RUN e"},
		{"[b 1/2] RUN [ -f x ] && y", "[b 2/2] RUN y"},
		{"[ -f x ] && y", "y"},
		{"[a 1/1] RUN make", "[c 1/1] RUN make", "[linux/arm64 c 1/1] RUN make"},
		{"[1/3] RUN <<EOT (set -ex...)", "[2/3] RUN <<EOT (set -ex...)", "[3/3] RUN <<EOT (set…)"},
		{"[b 1/2] RUN cpu 0.6", "[b 2/2] RUN cpu 2.6"},
		{"[b 1/2] RUN make", "[b 2/2] RUN make all", "make"},
		{"…", "*", "?", "`", "::", "[b 1/2] RUN \x1b[31m"},
		{"[b 1/1] RUN curl https://user:secret@x.example/?a=*&b=?#c", "exporting to image"},
		{"[b 1/2] RUN --mount=type=cache,target=/root   make " + long + " &&   make " + long, "[b 2/2] RUN \u200b" + long + long},
		{"test (3.11)", "test (3.12)", "unit 1/2", "unit 2/2"},
		{"[b 1/2] RUN --mount=type=cache,target=/root npm ci", "[b 2/2] RUN npm ci"},
	} {
		b := timeline.Build{ID: "b", Pipeline: "p"}
		for i, name := range names {
			n := dockerfile.ParseName(name)
			b.Steps = append(b.Steps, timeline.Step{
				ID: fmt.Sprint(i), Name: name, Key: dockerfile.Key(n.Platform, n.Stage, n.Text),
				Platform: n.Platform, Stage: n.Stage, Index: n.Index, Count: n.Count, Duration: 1e9,
			})
		}
		checkNames(t, fmt.Sprintf("%.60q", names), &b)
	}
}
