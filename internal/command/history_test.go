package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/buildtest"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/store"
)

// Where it would pay is told by what the checkout knows of changed files, and by the builds of
// other branches, which the store reads when they are asked for.
func TestHistoryLooksAround(t *testing.T) {
	const workdir, copied, install, export = "[app 2/4] WORKDIR /src", "[app 3/4] COPY . .", "[app 4/4] RUN npm ci", "[cache export] exporting cache to registry"
	repo := t.TempDir()
	t.Chdir(repo)
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "-b", "main")
	build := func(branch string, i int, steps ...buildtest.Step) timeline.Build {
		b := buildtest.New(branch, i, steps...)
		b.Facts = &timeline.Facts{Text: "1"}
		for k := range b.Steps {
			s := &b.Steps[k]
			s.Facts = &timeline.StepFacts{Op: s.Key}
			if s.Name == copied {
				s.Facts.Reads = []string{"/"}
			}
			if s.Name == export {
				s.Stage, s.Index, s.Count = timeline.StageCacheExport, 0, 0
			}
		}
		return b
	}
	var builds []timeline.Build
	for i := range 16 {
		if err := os.WriteFile("main.js", []byte(fmt.Sprint(i)), 0o666); err != nil {
			t.Fatal(err)
		}
		if i%8 == 0 {
			if err := os.WriteFile("package-lock.json", []byte(fmt.Sprint(i)), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		git("add", ".")
		git("commit", "-q", "-m", fmt.Sprint(i))
		b := build("main", i, buildtest.Hit("[app 1/4] FROM node:20"), buildtest.Hit(workdir), buildtest.Ran(copied, time.Second, workdir), buildtest.Ran(install, 30*time.Second, copied), buildtest.Ran(export, 20*time.Second, install))
		if i == 0 { // else it is not known what these take
			for k := range 2 {
				b.Steps[k].State, b.Steps[k].Duration = timeline.Executed, 10*time.Millisecond
			}
		}
		b.Revision = git("rev-parse", "HEAD")
		builds = append(builds, b)
	}
	told := func(others ...timeline.Build) map[advice.Kind]advice.Advice {
		t.Helper()
		address := "sqlite:" + filepath.Join(t.TempDir(), "s.db")
		st, err := store.Open(t.Context(), address, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Record(t.Context(), slices.Concat(builds, others)); err != nil {
			t.Fatal(err)
		}
		st.Close()
		var out bytes.Buffer
		env := recordEnv(&out, io.Discard)
		env.Variables = os.Getenv
		if err := History(t.Context(), env, &HistoryOptions{Store: address, Branch: "main", Thresholds: detect.DefaultThresholds, Output: OutputOptions{Format: "json"}}); err != nil {
			t.Fatal(err)
		}
		var h course.Report
		if err := json.Unmarshal(out.Bytes(), &h); err != nil || len(h.Results) != 1 {
			t.Fatalf("%v: %s", err, out.String())
		}
		found := map[advice.Kind]advice.Advice{}
		for _, x := range h.Results[0].Advice {
			found[x.Kind] = x
		}
		return found
	}
	alone := told()
	if x := alone[advice.Order]; x.Ran != 15 || x.Unneeded != 14 || x.Saves.D() != 28*time.Second {
		t.Errorf("%+v", alone)
	}
	if x, ok := alone[advice.CacheExport]; !ok || x.Others != 0 {
		t.Errorf("%+v", alone)
	}
	var others []timeline.Build
	for i := range 15 {
		others = append(others, build("topic", i, buildtest.Hit(workdir), buildtest.Hit(copied, workdir), buildtest.Hit(install, copied)))
	}
	beside := told(others...)
	if x, ok := beside[advice.CacheExport]; ok {
		t.Errorf("a cache that others live on: %+v", x)
	}
	if beside[advice.Order].Unneeded != 14 {
		t.Errorf("%+v", beside)
	}
}
