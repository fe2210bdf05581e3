//go:build record

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is recorded for testdata/causes: two projects, and what is changed in each.

const (
	mainBuilds = 16 // of each project
	sameBuilds = 20
)

// shopProject is built on a machine of its own: what did not change is cached. A source
// file changes with each commit, and so does a build argument.
func shopProject() *project {
	return &project{
		name: "shop",
		files: map[string]string{
			"Dockerfile":    shopDockerfile,
			".dockerignore": "docs\n",
			"README.md":     "The shop.\n",
			"docs/notes.md": "None.\n",
			"deps.lock":     "paint 1.0\nbrush 2.3\n",
			"conf/compile":  "8\n",
			"conf/test":     "5\n",
			"src/version":   "0\n",
			"src/main":      "4\n",
		},
		flags: func(n int) []string {
			return []string{"--build-arg", fmt.Sprintf("REVISION=r%d", n), "--output", "type=oci,dest=/dev/null"}
		},
	}
}

const shopDockerfile = `FROM 127.0.0.1:5055/box:1 AS base

FROM base AS deps
COPY deps.lock /deps.lock
RUN while read -r name version; do echo "Fetching $name $version" && wget -q -O "/$name" "http://127.0.0.1:5056/$name-$version"; done </deps.lock && work 4

FROM base AS app
ARG REVISION
COPY src /src
RUN echo "$REVISION" && work "$(cat /src/main)"
RUN --mount=type=bind,source=conf/compile,target=/conf work "$(cat /conf)" && head -c 2000000 /dev/urandom >/app

FROM app AS test
ARG UNITS=4
COPY --from=deps /paint /paint
RUN --mount=type=bind,source=conf/test,target=/conf work "$(cat /conf)"
RUN work $UNITS

FROM base
COPY --from=test /app /app
`

// wheelProject is built as on a machine that is new each time: all is pulled and runs. Its
// result and its cache are pushed.
func wheelProject() *project {
	return &project{
		name: "wheel", cold: true,
		files: map[string]string{
			"Dockerfile":       wheelDockerfile,
			"README.md":        "The wheel.\n",
			"docs/notes.md":    "None.\n",
			"requirements.txt": "paint\nbrush==2.3\n",
			"src/compile.py":   wheelCompile,
			"src/kilobytes":    "1500\n",
			"tests/run.py":     wheelTest,
		},
		flags: func(n int) []string {
			return []string{
				"--tag", fmt.Sprintf("%s/wheel:%d", causesRegistry, n), "--output", "type=registry",
				"--cache-to", "type=registry,mode=min,ref=" + causesRegistry + "/wheel-cache:main",
				"--label", fmt.Sprintf("org.opencontainers.image.revision=r%d", n),
			}
		},
	}
}

const wheelDockerfile = `FROM 127.0.0.1:5055/python:1 AS base

FROM base AS deps
COPY requirements.txt /
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --index-url http://127.0.0.1:5056/simple --target /deps -r /requirements.txt

FROM base AS app
ARG ROUNDS=25
COPY src /src
RUN mkdir /out && python3 /src/compile.py
RUN wget -q -O /data http://127.0.0.1:5056/data

FROM app AS test
COPY --from=deps /deps /deps
RUN --mount=type=bind,source=tests,target=/tests PYTHONPATH=/deps python3 /tests/run.py

FROM scratch
COPY --from=test /out /out
COPY --from=test /deps /deps
`

const wheelCompile = `import os
total = 0
for i in range(int(os.environ["ROUNDS"]) * 400000):
    total += i % 7
print(total)
with open("/out/app", "wb") as f:
    f.write(os.urandom(1000 * int(open("/src/kilobytes").read())))
`

const wheelTest = `import brush, paint
total = 0
for i in range(8000000):
    total += i % 5
print(paint.version, brush.version, total)
`

var (
	docs   = map[string]string{"docs/notes.md": "Some.\n"}
	readme = map[string]string{"README.md": "Not committed.\n", "scratch.txt": "x\n"}
	label  = []string{"--label", "team=blue", "--annotation", "team=blue"}
)

// changes are all builds, in the order in which they are made.
func changes() (list []change) {
	for i := range mainBuilds {
		list = append(list,
			change{Project: "shop", Set: "main", files: map[string]string{"src/version": fmt.Sprint(i, "\n")}},
			change{Project: "wheel", Set: "main", files: map[string]string{"docs/notes.md": fmt.Sprint(i, "\n")}})
	}
	list = append(append(list, shopChanges()...), wheelChanges()...)
	for i := range sameBuilds {
		shop := change{Project: "shop", Set: "same", Load: i%3 == 2, files: map[string]string{"src/version": fmt.Sprint(100+i, "\n")}, Innocent: []string{"src/version", "REVISION"}}
		wheel := change{Project: "wheel", Set: "same", Load: i%3 == 1}
		for _, c := range []*change{&shop, &wheel} {
			c.innocent(i)
		}
		list = append(list, shop, wheel)
	}
	// One builder makes them all, and the second project empties its cache.
	slices.SortStableFunc(list, func(a, b change) int { return strings.Compare(a.Project, b.Project) })
	count := map[string]int{}
	for i := range list {
		c := &list[i]
		name := c.Record
		if name == "" {
			name = c.Set
		}
		count[c.Project+name]++
		c.Record = fmt.Sprintf("%s/%s-%02d.dockerbuild", c.Project, name, count[c.Project+name])
	}
	return list
}

// innocent adds the i-th of the differences that make nothing slower.
func (c *change) innocent(i int) {
	if c.files == nil {
		c.files = map[string]string{}
	}
	switch i % 4 {
	case 1:
		c.files["docs/notes.md"] = fmt.Sprint("Note ", i, ".\n")
		c.Innocent = append(c.Innocent, "docs/notes.md")
	case 2:
		c.flags = append(c.flags, label...)
		c.Innocent = append(c.Innocent, "team")
	case 3:
		c.dirty = readme
		c.Innocent = append(c.Innocent, "README", "scratch")
	}
}

// Steps, as parts of their names.
const (
	shopLink, shopCompile, shopTest           = `work "$(cat /src/main)"`, "source=conf/compile", "source=conf/test"
	wheelPip, wheelBuild, wheelData, wheelRun = "pip install", "compile.py", "/data", "tests/run.py"
)

// machine is what a machine that has less for a build does to a step.
func machine(kind, step string) []cause {
	return []cause{{Kind: kind, Also: []string{"machine-overloaded", "step-starved", "step-throttled"}, Step: step}}
}

func edited(dockerfile, from, to string) map[string]string {
	if !strings.Contains(dockerfile, from) {
		panic(from + " stands nowhere")
	}
	return map[string]string{"Dockerfile": strings.Replace(dockerfile, from, to, 1)}
}

// retag publishes another base image under its tag, until the build has ended.
func retag(name, more string) func(*recorder, *testing.T) func() {
	return func(r *recorder, t *testing.T) func() {
		t.Helper()
		r.publish(t, name, more)
		if name == "python" { // of the project that is built cold
			r.run(t, append(slices.Clip(r.buildx), "prune", "--builder", r.builder, "--all", "--force")...)
		}
		return func() { r.manifest(t, http.MethodPut, name, r.tagged[name]) }
	}
}

// slowRequests makes what a registry or the index moves slow.
func slowRequests(of func(*recorder) *brake, method, part string, takes time.Duration) func(*recorder, *testing.T) func() {
	return func(r *recorder, _ *testing.T) func() {
		of(r).set(&brakeRule{match: func(q *http.Request) bool { return q.Method == method && strings.Contains(q.URL.Path, part) }, takes: takes})
		return nil
	}
}

// failing makes a registry fail a few requests.
func failing(method, part string, code int) func(*recorder, *testing.T) func() {
	return func(r *recorder, _ *testing.T) func() {
		left := 2
		r.registry.set(&brakeRule{refuse: true, code: code, match: func(q *http.Request) bool {
			if q.Method != method || !strings.Contains(q.URL.Path, part) || left == 0 {
				return false
			}
			left--
			return true
		}})
		return nil
	}
}

// quota gives the builder less than half a processor.
var quota = confine("cpu", [2]string{"cpu.cfs_period_us", "100000"}, [2]string{"cpu.cfs_quota_us", "40000"})

// throttled is what a builder measures that has two fifths of a processor, and the controller
// of version 2: for what it used, it was kept from using half as much again.
func throttled(s *usedStep) {
	cpu := s.last["cpuStat"].(map[string]any)
	used, _ := cpu["usageNanos"].(float64)
	cpu["throttledNanos"] = int64(1.5 * used)
	cpu["nrPeriods"], cpu["nrThrottled"] = int64(used/4e7), int64(used/4e7)
	delete(cpu, "pressure")
}

// killed is what it would have measured of a step, a process of which had too much memory
// and was started anew.
func killed(s *usedStep) {
	if strings.Contains(s.command, "/app") {
		s.last["memoryStat"] = map[string]any{"anon": 1 << 20, "file": 1 << 22, "peak": 512 << 20, "oomEvents": 1, "oomKillEvents": 1}
	}
}

func ofRegistry(r *recorder) *brake { return &r.registry.brake }
func ofIndex(r *recorder) *brake    { return &r.index }

// released is another version in the index, until the build has ended.
func released(name, version, module string) func(*recorder, *testing.T) func() {
	return func(r *recorder, _ *testing.T) func() { return r.release(name, version, module) }
}

// beside is another build on the builder meanwhile.
func beside(r *recorder, t *testing.T) func() {
	t.Helper()
	dir := filepath.Join(r.dir, "beside")
	put(t, dir, map[string]string{
		"Dockerfile": "FROM " + causesRegistry + "/box:1\nARG N\n" + "RUN echo $N; work 40 & work 40 & work 40 & wait\n",
	})
	r.builds++
	cmd := r.begin(t, &build{progress: filepath.Join(r.dir, "beside.log")},
		[]string{"build", "--builder", r.builder, "--progress", "plain", "--build-arg", fmt.Sprint("N=", time.Now().UnixNano()), dir})
	return func() { interruptGroup(cmd.Process); cmd.Wait() }
}

// twice is a change by itself, and with one of the innocent differences.
func twice(c change, i int) []change {
	other := c
	other.files = map[string]string{}
	for name, content := range c.files {
		other.files[name] = content
	}
	other.flags, other.Innocent = slices.Clip(c.flags), slices.Clip(c.Innocent)
	other.innocent(1 + i%3)
	return []change{c, other}
}

func shopChanges() (list []change) {
	n := 0
	add := func(c change) {
		c.Project, c.Set = "shop", "changed"
		if c.files == nil {
			c.files = map[string]string{}
		}
		c.files["src/version"] = fmt.Sprint(50+n, "\n")
		c.Innocent = append(c.Innocent, "src/version", "REVISION")
		pair := twice(c, n)
		if c.Record == "lock-file" { // else the second is found in the cache
			pair[1].files["deps.lock"] = "paint 1.0\ncanvas 0.9\nbrush 2.3\n"
		}
		list = append(list, pair...)
		n++
	}
	add(change{Record: "file-mounted", files: map[string]string{"conf/compile": "24\n"}, Causes: []cause{{Kind: "file", Step: shopCompile, Says: "conf/compile"}}})
	add(change{Record: "file-copied", files: map[string]string{"src/main": "16\n"}, Causes: []cause{{Kind: "file", Step: shopLink, Says: "src/main"}}})
	add(change{Record: "argument", flags: []string{"--build-arg", "UNITS=16"}, Causes: []cause{{Kind: "argument", Step: "RUN work 16", Says: "UNITS"}}})
	add(change{Record: "instruction", files: edited(shopDockerfile, `RUN work $UNITS`, `RUN work $UNITS && work 10`), Causes: []cause{{Kind: "instruction", Step: "work 10"}}})
	add(change{Record: "instruction-before", files: edited(shopDockerfile, "ARG UNITS=4\n", "ARG UNITS=4\nRUN mv /bin/work /bin/work1 && printf '#!/bin/sh\\nwork1 $1; work1 $1; work1 $1\\n' >/bin/work && chmod +x /bin/work\n"), Causes: []cause{{Kind: "instruction", Also: []string{"environment"}, Step: shopTest}}})
	add(change{Record: "environment", files: edited(shopDockerfile, "ARG UNITS=4\n", "ENV UNITS=16\n"), Causes: []cause{{Kind: "environment", Also: []string{"instruction"}, Step: "RUN work 16"}}})
	add(change{Record: "base-image", before: retag("box", "RUN printf '#!/bin/sh\\nawk -v n=\"$1\" \"BEGIN { for (i = 0; i < n * 1800000; i++) x += i }\"\\n' >/bin/work\n"), Causes: []cause{{Kind: "base-image", Step: shopCompile, Says: "box"}}})
	add(change{Record: "lock-file", files: map[string]string{"deps.lock": "paint 1.0\nbrush 2.3\ncanvas 0.9\n"}, Causes: []cause{{Kind: "lock-file", Step: "COPY deps.lock", Says: "deps.lock"}}})
	add(change{Record: "context", files: map[string]string{"src/film": strings.Repeat("0123456789abcdef", 2<<20)}, Causes: []cause{{Kind: "more-bytes", Step: "load build context"}}})
	add(change{Record: "load", Load: true, Causes: machine("machine-overloaded", shopCompile)})
	add(change{Record: "quota", before: quota, Causes: machine("step-throttled", shopCompile)})
	add(change{Record: "throttled", before: quota, edit: throttled, Causes: machine("step-throttled", shopCompile)})
	add(change{Record: "memory", before: quota, edit: killed, Causes: machine("step-memory", shopCompile)})
	add(change{Record: "cpuset", before: confine("cpuset", [2]string{"cpuset.mems", "0"}, [2]string{"cpuset.cpus", "0"}), Load: true, Causes: machine("step-starved", shopCompile)})
	add(change{Record: "beside", before: beside, Causes: machine("machine-overloaded", shopCompile)})
	add(change{Record: "exporter", flags: []string{"--output", "type=oci,dest=/dev/null,compression=zstd,compression-level=19,force-compression=true"}, Causes: []cause{{Kind: "exporter", Step: "exporting to oci"}}})
	add(change{Record: "two-file-argument", files: map[string]string{"conf/test": "10\n"}, flags: []string{"--build-arg", "UNITS=16"}, Causes: []cause{{Kind: "file", Step: shopTest, Says: "conf/test"}, {Kind: "argument", Step: "RUN work 16", Says: "UNITS"}}})
	return list
}

func wheelChanges() (list []change) {
	n := 0
	add := func(c change) {
		c.Project, c.Set = "wheel", "changed"
		list = append(list, twice(c, n)...)
		n++
	}
	add(change{Record: "lock-file", files: map[string]string{"requirements.txt": "paint\nbrush==2.3\ncanvas==0.9\n"}, Causes: []cause{{Kind: "lock-file", Step: wheelPip, Says: "requirements.txt"}}})
	add(change{Record: "dependency", before: released("paint", "1.1", "sum(i % 7 for i in range(9000000))\n"), Causes: []cause{{Kind: "dependency", Step: wheelPip, Says: "paint"}}})
	add(change{Record: "download-index", before: slowRequests(ofIndex, "GET", ".whl", 3*time.Second), Causes: []cause{{Kind: "nothing-recorded", Also: []string{"phase"}, Step: wheelPip}}})
	add(change{Record: "download", before: slowRequests(ofIndex, "GET", "data", 4*time.Second), Causes: []cause{{Kind: "nothing-recorded", Step: wheelData}}})
	add(change{Record: "pull", before: slowRequests(ofRegistry, "GET", "python/blobs", 6*time.Second), Causes: []cause{{Kind: "slower-transfer", Step: "pull 127"}}})
	add(change{Record: "push", before: slowRequests(ofRegistry, "PUT", "/blobs/", 3*time.Second), Causes: []cause{{Kind: "slower-transfer", Step: "pushing"}}})
	add(change{Record: "registry", before: failing("GET", "python/blobs", http.StatusServiceUnavailable), Causes: []cause{{Kind: "registry", Step: "FROM 127"}}})
	add(change{Record: "more-pushed", files: map[string]string{"src/kilobytes": "24000\n"}, Causes: []cause{{Kind: "more-bytes", Step: "pushing"}}})
	add(change{Record: "more-pulled", before: retag("python", "RUN head -c 30000000 /dev/urandom >/large\n"), Causes: []cause{{Kind: "more-bytes", Also: []string{"base-image"}, Step: "pull 127"}}})
	add(change{Record: "base-image", before: retag("python", "RUN mkdir -p /usr/lib/python3.11/site-packages && echo 'sum(i for i in range(20000000))' >/usr/lib/python3.11/site-packages/sitecustomize.py\n"), Causes: []cause{{Kind: "base-image", Step: wheelBuild, Says: "python"}}})
	add(change{Record: "cache-export", flags: []string{"--cache-to", "type=registry,mode=max,ref=" + causesRegistry + "/wheel-cache:main"}, Causes: []cause{{Kind: "exporter", Also: []string{"more-bytes", "cache-write"}, Step: "exporting cache"}}})
	add(change{Record: "argument", flags: []string{"--build-arg", "ROUNDS=100"}, Causes: []cause{{Kind: "argument", Step: wheelBuild, Says: "ROUNDS"}}})
	add(change{Record: "instruction", files: edited(wheelDockerfile, "python3 /src/compile.py", "python3 /src/compile.py && python3 /src/compile.py && python3 /src/compile.py"), Causes: []cause{{Kind: "instruction", Step: "compile.py"}}})
	add(change{Record: "file", files: map[string]string{"tests/run.py": strings.Replace(wheelTest, "8000000", "32000000", 1)}, Causes: []cause{{Kind: "file", Step: wheelRun, Says: "tests/run.py"}}})
	add(change{Record: "context", files: map[string]string{"src/film": strings.Repeat("0123456789abcdef", 2<<20)}, Causes: []cause{{Kind: "more-bytes", Step: "load build context"}}})
	add(change{Record: "load", Load: true, Causes: machine("machine-overloaded", wheelBuild)})
	add(change{Record: "quota", before: quota, Causes: machine("step-throttled", wheelBuild)})
	add(change{Record: "two-base-argument", before: retag("python", "RUN mkdir -p /usr/lib/python3.11/site-packages && echo 'sum(i for i in range(20000000))' >/usr/lib/python3.11/site-packages/sitecustomize.py\n"), flags: []string{"--build-arg", "ROUNDS=100"}, Causes: []cause{{Kind: "base-image", Step: wheelBuild, Says: "python"}, {Kind: "argument", Step: wheelBuild, Says: "ROUNDS"}}})
	add(change{Record: "two-push-file", before: slowRequests(ofRegistry, "PUT", "/blobs/", 3*time.Second), files: map[string]string{"tests/run.py": strings.Replace(wheelTest, "8000000", "32000000", 1)}, Causes: []cause{{Kind: "slower-transfer", Step: "pushing"}, {Kind: "file", Step: wheelRun, Says: "tests/run.py"}}})
	return list
}
