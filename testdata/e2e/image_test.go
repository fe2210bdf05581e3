package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// dockerfile is the image that is built. What its steps have to do stands in
// files; src holds another number in each build, so that what comes after it runs.
// deps is cached but for the first time.
const dockerfile = `
FROM base AS deps
RUN --mount=type=bind,source=work/deps,target=/work sleep "$(cat /work)" && echo deps >/deps

FROM base AS app
COPY src /src
COPY --from=deps /deps /deps
RUN --mount=type=bind,source=work/compile,target=/work sleep "$(cat /work)" && head -c 300000 /dev/urandom >/app
RUN --mount=type=bind,source=work/test,target=/work sleep "$(cat /work)"

FROM base
COPY --from=app /app /app
`

// work is how many seconds the steps take, or what sleep says no to.
type work map[string]string

// What is usual. The steps that are made slower take long enough that what two
// busy cores add to them is little.
var usual = work{"deps": "1", "compile": "2", "test": "0.2"}

const usualPush = 500 * time.Millisecond // that a layer takes

// A plan is a build to be made.
type plan struct {
	name       string
	branch     string
	work       work // other than usual
	dockerfile string
	flags      []string      // of buildx build
	pushDelay  time.Duration // that a layer takes, other than usual
	cancelAt   string        // a step that the build is cancelled at
	fails      bool          // it does
}

// A build is one that was made.
type build struct {
	plan
	pipeline, revision, runID, traceID string

	took time.Duration
	// Paths of what it left.
	metadata, record, progress, trace string
	ref                               string // BUILDER/NODE/REF, or BUILDER/ where no metadata tell it
}

// pipeline is the name of all that is built here.
const pipeline = "shop/image"

// make builds.
func (s *stack) make(t *testing.T, p plan) *build {
	t.Helper()
	s.builds++
	b := &build{plan: p, pipeline: pipeline, revision: random(20), runID: fmt.Sprintf("run-%d", s.builds), traceID: random(16)}
	dir := s.folder(t, p, fmt.Sprintf("build-%d", s.builds))
	context := filepath.Join(dir, "context")
	write(t, filepath.Join(context, "src", "main"), b.revision)
	b.metadata, b.progress, b.record = filepath.Join(dir, "meta.json"), filepath.Join(dir, "progress.jsonl"), filepath.Join(dir, "record.dockerbuild")

	args := append([]string{
		"build", "--builder", s.builder, "--progress", "rawjson", "--metadata-file", b.metadata,
		"--tag", s.registry.address + "/shop:" + b.revision[:8], "--push",
	}, p.flags...)
	s.registry.set(&brakeRule{match: putsLayer, takes: max(p.pushDelay, usualPush)})
	s.perform(t, b, append(args, context))
	return b
}

// perform runs buildx, and gets the record.
func (s *stack) perform(t *testing.T, b *build, args []string) {
	t.Helper()
	fails := b.fails || b.cancelAt != ""
	for _, seconds := range b.work {
		fails = fails || strings.Trim(seconds, "0123456789.") != ""
	}
	start := time.Now()
	err := s.launch(t, b, args)
	b.took = time.Since(start)
	if (err != nil) != fails {
		t.Fatalf("build %s: %v\n%s", b.name, err, tailOf(b.progress))
	}
	b.ref = s.builder + "/"
	if !fails {
		b.ref = refOf(t, b.metadata)
	}
	s.export(t, b)
}

// folder makes a folder with the context of a build in it.
func (s *stack) folder(t *testing.T, p plan, name string) string {
	t.Helper()
	dir := filepath.Join(s.dir, name)
	context := filepath.Join(dir, "context")
	if p.dockerfile == "" {
		p.dockerfile = dockerfile
	}
	for _, folder := range []string{"work", "src"} {
		if err := os.MkdirAll(filepath.Join(context, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(context, "Dockerfile"), s.base+p.dockerfile)
	for name, content := range s.context {
		write(t, filepath.Join(context, name), string(content))
	}
	for step, seconds := range usual {
		if other, ok := p.work[step]; ok {
			seconds = other
		}
		write(t, filepath.Join(context, "work", step), seconds+"\n")
	}
	return dir
}

// launch runs one build, and interrupts it where that is planned.
func (s *stack) launch(t *testing.T, b *build, args []string) error {
	t.Helper()
	cmd := s.begin(t, b, args)
	if b.cancelAt != "" {
		s.await(t, "the step to cancel at", func() error {
			if !started(b.progress, b.cancelAt) {
				return fmt.Errorf("%s has not begun:\n%s", b.cancelAt, tailOf(b.progress))
			}
			return nil
		})
		interruptGroup(cmd.Process)
	}
	return cmd.Wait()
}

// begin starts one build.
func (s *stack) begin(t *testing.T, b *build, args []string) *exec.Cmd {
	t.Helper()
	log, err := os.Create(b.progress)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	command := append(slices.Clip(s.buildx), args...)
	cmd := exec.CommandContext(s.ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Stderr = s.dir, log
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return interruptGroup(cmd.Process) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(slices.Clip(s.env),
		"OTEL_EXPORTER_OTLP_ENDPOINT="+s.otlp,
		fmt.Sprintf("TRACEPARENT=00-%s-%s-01", b.traceID, random(8)),
		"OTEL_RESOURCE_ATTRIBUTES="+strings.Join([]string{
			"cicd.pipeline.name=" + b.pipeline,
			"cicd.pipeline.run.id=" + b.runID,
			"vcs.ref.head.name=" + b.branch,
			"vcs.ref.head.revision=" + b.revision,
			"vcs.repository.url.full=https://git.example.com/shop/image",
		}, ","))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// started tells whether a progress log says that a step began.
func started(progress, step string) bool {
	data, err := os.ReadFile(progress)
	if err != nil {
		return false
	}
	for line := range bytes.Lines(data) {
		var status struct {
			Vertexes []struct {
				Name    string
				Started *time.Time
			}
		}
		if json.Unmarshal(line, &status) != nil {
			continue
		}
		for _, v := range status.Vertexes {
			if v.Started != nil && strings.Contains(v.Name, step) {
				return true
			}
		}
	}
	return false
}

// export gets the record of a build: of one that failed, the newest that is not
// the one before.
func (s *stack) export(t *testing.T, b *build) {
	t.Helper()
	s.await(t, "the record of "+b.name, func() error {
		ref := path.Base(b.ref)
		if strings.HasSuffix(b.ref, "/") {
			ref = s.newestRef(t)
			if ref == s.lastRef {
				return fmt.Errorf("%s is that of the build before", ref)
			}
		}
		_, stderr, err := s.try(s.ctx, s.dir, nil, append(slices.Clip(s.buildx),
			"history", "export", "--builder", s.builder, "--finalize", "--output", b.record, ref)...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, stderr)
		}
		s.lastRef = ref
		return nil
	})
}

// newestRef is the ref of the newest record that is complete.
func (s *stack) newestRef(t *testing.T) string {
	t.Helper()
	var newest struct {
		Ref       string     `json:"ref"`
		Created   time.Time  `json:"created_at"`
		Completed *time.Time `json:"completed_at"`
	}
	list := s.run(t, append(slices.Clip(s.buildx), "history", "ls", "--builder", s.builder, "--format", "json", "--no-trunc")...)
	for line := range strings.Lines(list) {
		one := newest
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("history ls: %v in %s", err, line)
		}
		if one.Completed != nil && one.Created.After(newest.Created) {
			newest = one
		}
	}
	return path.Base(newest.Ref)
}

// refOf is where a metadata file says that the record is.
func refOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Ref string `json:"buildx.build.ref"`
	}
	if err := json.Unmarshal(data, &metadata); err != nil || metadata.Ref == "" {
		t.Fatalf("%s: no ref: %v", path, err)
	}
	return metadata.Ref
}

// random is so many bytes in hex.
func random(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return fmt.Sprintf("%x", b)
}
