//go:build record

package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	causesDir  = flag.String("causes", "", "folder that TestRecordCauses writes to")
	causesOnly = flag.String("only", "", "names of the builds that it makes, a regular expression")
)

// Addresses that stand in the records, and so are the same in each.
const (
	causesRegistry = "127.0.0.1:5055"
	causesIndex    = "127.0.0.1:5056"
)

// A change is a build of a commit of its own, which differs from the last one of main in
// what is said here. It becomes a line of labels.jsonl.
type change struct {
	Record   string   `json:"record"` // path below the folder
	Project  string   `json:"project"`
	Set      string   `json:"set"` // main: history; same: unchanged; changed
	Branch   string   `json:"branch"`
	Load     bool     `json:"load,omitempty"`     // other processes were busy meanwhile
	Causes   []cause  `json:"causes,omitempty"`   // what was done that makes a step slower
	Innocent []string `json:"innocent,omitempty"` // what was done that does not, as causes would name it

	files  map[string]string // that are committed, nil content for none
	dirty  map[string]string // that are not
	flags  []string
	before func(*recorder, *testing.T) (after func())
	edit   func(step *usedStep) // what this machine's builder cannot measure
	Edited bool                 `json:"edited,omitempty"` // by that
}

// A cause is what makes one step slower.
type cause struct {
	Kind string   `json:"kind"`           // of what was done
	Also []string `json:"also,omitempty"` // kinds that name it as well
	Step string   `json:"step"`           // part of the name of the step
	Says string   `json:"says,omitempty"` // what the cause has to name
}

// A project is a repository whose builds are recorded.
type project struct {
	name  string
	dir   string
	files map[string]string
	cold  bool // the builder has nothing of the builds before
	flags func(n int) []string
	n     int // commits
}

type recorder struct {
	*stack
	index    brake
	packages map[string][]byte // of the index, by path
	pid      int               // of the builder
	group    string            // that it is in, with what runs beside it
	share    string            // and that of version 1 which has most of the processors' time
	images   string            // folder with the contexts of base images
	rootfs   map[string][]byte
	tagged   map[string]manifest // what a base image's tag meant at first
	labels   *os.File
	projects map[string]*project
}

// TestRecordCauses makes the builds of testdata/causes anew.
func TestRecordCauses(t *testing.T) {
	if *causesDir == "" {
		t.Fatal("-causes says no folder")
	}
	out, err := filepath.Abs(*causesDir)
	if err != nil {
		t.Fatal(err)
	}
	r := startRecorder(t)
	for _, p := range []*project{shopProject(), wheelProject()} {
		r.projects[p.name] = p
		if err := os.MkdirAll(filepath.Join(out, p.name), 0o755); err != nil {
			t.Fatal(err)
		}
		r.init(t, p)
	}
	if r.labels, err = os.OpenFile(filepath.Join(out, "labels.jsonl"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644); err != nil {
		t.Fatal(err)
	}
	defer r.labels.Close()
	only := regexp.MustCompile(*causesOnly)
	for _, c := range changes() {
		if only.MatchString(c.Record) {
			r.record(t, r.projects[c.Project], &c, out)
		}
	}
	for _, p := range r.projects {
		r.run(t, "git", "-C", p.dir, "bundle", "create", "--quiet", filepath.Join(out, p.name+".bundle"), "--all")
	}
}

// startRecorder starts a builder that measures what steps use: on cgroups of version 2,
// whatever the machine has.
func startRecorder(t *testing.T) *recorder {
	t.Helper()
	s := newStack(t)
	busybox := s.require(t)
	buildx := filepath.Join(install(t, buildxTool), "buildx")
	s.buildx, s.builder = []string{buildx}, "recorder"
	r := &recorder{stack: s, projects: map[string]*project{}, images: filepath.Join(s.dir, "images")}
	r.takeMachine(t)
	s.startRegistry(t, causesRegistry)
	r.serveIndex(t)
	socket := filepath.Join(s.dir, "bk.sock")
	s.daemon(t, nil, "sh", "-c", ownMachine, "sh", r.group, r.share,
		filepath.Join(install(t, buildkitTool), "buildkitd"),
		"--root", filepath.Join(s.dir, "bk"), "--addr", "unix://"+socket, "--config", s.buildkitConfig(t),
		"--oci-worker-net=host", "--containerd-worker=false", "--oci-worker-snapshotter=overlayfs")
	s.run(t, append(s.buildx, "create", "--name", s.builder, "--driver", "remote", "unix://"+socket)...)
	s.await(t, "the builder", func() error {
		_, stderr, err := s.try(s.ctx, s.dir, nil, append(s.buildx, "inspect", "--bootstrap", s.builder)...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, stderr)
		}
		r.pid, err = pidOf(socket)
		return err
	})
	r.rootfs = map[string][]byte{
		"box": rootfs(t, busybox, map[string][]byte{"bin/work": []byte(workScript)}),
	}
	r.rootfs["python"] = rootfs(t, busybox, pythonFiles(t))
	r.tagged = map[string]manifest{}
	for _, name := range []string{"box", "python"} {
		r.publish(t, name, "")
		r.tagged[name] = r.manifest(t, http.MethodGet, name, manifest{})
	}
	return r
}

// takeMachine makes the groups that the builder and this program are in.
func (r *recorder) takeMachine(t *testing.T) {
	t.Helper()
	r.share = fmt.Sprintf("/sys/fs/cgroup/cpu/causes-%d", os.Getpid())
	r.group = filepath.Join(unifiedCgroups(t), fmt.Sprintf("causes-%d", os.Getpid()))
	if err := os.Mkdir(r.group, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(r.share, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(r.share, "cpu.shares"), "20000")
	write(t, filepath.Join(r.share, "cgroup.procs"), fmt.Sprint(os.Getpid())) // with the registry, the index and buildx
	t.Cleanup(func() {
		write(t, "/sys/fs/cgroup/cpu/cgroup.procs", fmt.Sprint(os.Getpid()))
		for _, group := range []string{r.group, r.share} {
			exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
		}
	})
}

// ownMachine runs a program as if the machine were its own: in a group that goes before
// whatever else runs, and whose waiting is what it sees as the machine's.
const ownMachine = `
set -e
echo $$ >"$1/cgroup.procs"
echo $$ >"$2/cgroup.procs"
shift 2
exec unshare --mount --cgroup sh -c '
	mount --make-rprivate /
	umount -l /sys/fs/cgroup
	mount -t cgroup2 none /sys/fs/cgroup
	for kind in cpu io memory; do mount --bind /sys/fs/cgroup/$kind.pressure /proc/pressure/$kind; done
	exec "$@"' sh "$@"`

// unifiedCgroups is where the cgroups of version 2 are.
func unifiedCgroups(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.controllers")); err == nil {
			return dir
		}
	}
	t.Fatal("there are no cgroups of version 2")
	return ""
}

// workScript uses a processor for about 0.1 s for each unit.
const workScript = `#!/bin/sh
awk -v n="$1" 'BEGIN { for (i = 0; i < n * 600000; i++) x += i % 7; print n " units, " x }'
`

// pidOf is the process that listens on a socket.
func pidOf(socket string) (int, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil || failed != nil {
		return 0, fmt.Errorf("%w %w", err, failed)
	}
	return int(cred.Pid), nil
}

// pythonFiles are those of this machine's Python, with pip.
func pythonFiles(t *testing.T) map[string][]byte {
	t.Helper()
	ask := func(program string) string {
		out, err := exec.Command("python3", "-c", program).Output()
		if err != nil {
			t.Fatalf("python3: %v", err)
		}
		return strings.TrimSpace(string(out))
	}
	prefix, version := ask("import sys; print(sys.base_prefix)"), ask("import sys; print('python%d.%d' % sys.version_info[:2])")
	files := map[string][]byte{}
	linked := regexp.MustCompile(`/\S+\.so\S*`)
	var add func(from, to string)
	add = func(from, to string) {
		if files[to] != nil {
			return
		}
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if stripped := filepath.Join(t.TempDir(), "stripped"); bytes.HasPrefix(data, []byte("\x7fELF")) {
			if exec.Command("strip", "-o", stripped, from).Run() == nil {
				data, _ = os.ReadFile(stripped)
			}
			files[to] = data
			libraries, _ := exec.Command("ldd", from).Output()
			for _, library := range linked.FindAllString(string(libraries), -1) {
				add(library, strings.TrimPrefix(library, "/"))
			}
		}
		files[to] = data
	}
	add(filepath.Join(prefix, "bin", version), "usr/bin/python3")
	root := filepath.Join(prefix, "lib", version)
	leave := regexp.MustCompile(`^(site-packages|test|idlelib|tkinter|lib2to3|turtledemo|pydoc_data|ensurepip|config-.*|__pycache__|_?tkinter.*|_test.*|_dbm.*|_gdbm.*|_curses.*|readline.*|_sqlite3.*)$`)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case leave.MatchString(d.Name()) && d.IsDir():
			return filepath.SkipDir
		case d.Type().IsRegular() && !leave.MatchString(d.Name()):
			add(path, filepath.Join("usr/lib", version, strings.TrimPrefix(path, root)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wheels, _ := filepath.Glob(filepath.Join(root, "ensurepip", "_bundled", "pip-*.whl"))
	if len(wheels) == 0 {
		t.Fatal("python3 has no ensurepip")
	}
	archive, err := zip.OpenReader(wheels[0])
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		b.ReadFrom(in)
		files["usr/lib/"+version+"/site-packages/"+f.Name] = b.Bytes()
	}
	return files
}

// publish puts a base image into the registry, under the tag that it has, with more
// instructions at its end.
func (r *recorder) publish(t *testing.T, name, more string) {
	t.Helper()
	dir := filepath.Join(r.images, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "rootfs.tar"), string(r.rootfs[name]))
	write(t, filepath.Join(dir, "Dockerfile"), "FROM scratch\nADD rootfs.tar /\nENV PATH=/bin:/usr/bin PYTHONHOME=/usr\n"+more)
	r.run(t, append(slices.Clip(r.buildx), "build", "--builder", r.builder, "--provenance=false", "--quiet", "--push", "--tag", causesRegistry+"/"+name+":1", dir)...)
}

// A manifest is what a tag means.
type manifest struct {
	mediaType string
	content   []byte
}

// manifest gets or sets what the tag of a base image means.
func (r *recorder) manifest(t *testing.T, method, name string, m manifest) manifest {
	t.Helper()
	q, err := http.NewRequestWithContext(r.ctx, method, "http://"+r.registry.direct+"/v2/"+name+"/manifests/1", bytes.NewReader(m.content))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", m.mediaType)
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s of %s: %s, %v", method, name, response.Status, err)
	}
	return manifest{response.Header.Get("Content-Type"), content}
}

// serveIndex serves packages, and what else builds download.
func (r *recorder) serveIndex(t *testing.T) {
	t.Helper()
	r.packages = map[string][]byte{"data": bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)}
	for name, version := range map[string]string{"paint": "1.0", "brush": "2.3", "canvas": "0.9"} {
		r.release(name, version, "")
	}
	l, err := net.Listen("tcp", causesIndex)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: r.index.wrap(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		path := strings.Trim(q.URL.Path, "/")
		content, ok := r.packages[path]
		if project, is := strings.CutPrefix(path, "simple/"); is {
			ok = true
			w.Header().Set("Content-Type", "text/html")
			for _, name := range slices.Sorted(maps.Keys(r.packages)) {
				if strings.HasPrefix(name, project+"-") && strings.HasSuffix(name, ".whl") {
					content = fmt.Appendf(content, "<a href=\"/%s\">%s</a><br>\n", name, name)
				}
			}
		}
		if !ok {
			http.NotFound(w, q)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content)
	}))}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

// release puts a package into the index, with a module that is imported by the step that
// tests. It returns what takes it away.
func (r *recorder) release(name, version, module string) (undo func()) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	info := name + "-" + version + ".dist-info/"
	for _, f := range [][2]string{
		{name + ".py", "version = '" + version + "'\n" + module},
		{info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		in, _ := w.Create(f[0])
		in.Write([]byte(f[1]))
	}
	w.Close()
	path := name + "-" + version + "-py3-none-any.whl"
	r.packages[path] = b.Bytes()
	r.packages[name+"-"+version] = b.Bytes()
	return func() { delete(r.packages, path); delete(r.packages, name+"-"+version) }
}

// init makes the repository of a project, with one commit.
func (r *recorder) init(t *testing.T, p *project) {
	t.Helper()
	p.dir = filepath.Join(r.dir, p.name)
	r.run(t, "git", "init", "--quiet", "--initial-branch=main", "--object-format=sha1", p.dir)
	r.run(t, "git", "-C", p.dir, "remote", "add", "origin", "https://git.example.com/causes/"+p.name)
	r.commit(t, p, p.files)
}

// commit commits files on what is checked out. The ids of commits follow from what is in
// them, and from how many there are.
func (r *recorder) commit(t *testing.T, p *project, files map[string]string) {
	t.Helper()
	p.n++
	at := fmt.Sprintf("%d +0000", 1_767_000_000+3600*p.n)
	put(t, p.dir, files)
	r.run(t, "git", "-C", p.dir, "add", "--all")
	_, stderr, err := r.try(r.ctx, p.dir, []string{
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_AUTHOR_DATE=" + at,
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com", "GIT_COMMITTER_DATE=" + at,
	}, "git", "commit", "--quiet", "--allow-empty", "-m", fmt.Sprint("commit ", p.n))
	if err != nil {
		t.Fatal(stderr)
	}
}

func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, content)
	}
}

// record makes one build, and keeps its record and its label.
func (r *recorder) record(t *testing.T, p *project, c *change, out string) {
	t.Helper()
	start := time.Now()
	if c.Set == "main" {
		r.run(t, "git", "-C", p.dir, "checkout", "--quiet", "main")
	} else {
		c.Branch = strings.TrimSuffix(filepath.Base(c.Record), ".dockerbuild")
		r.run(t, "git", "-C", p.dir, "checkout", "--quiet", "-B", c.Branch, "main")
	}
	r.commit(t, p, c.files)
	put(t, p.dir, c.dirty)
	if p.cold {
		r.run(t, append(slices.Clip(r.buildx), "prune", "--builder", r.builder, "--all", "--force")...)
	}
	r.registry.set(nil)
	r.index.set(nil)
	after := func() {}
	if c.before != nil {
		if undo := c.before(r, t); undo != nil {
			after = undo
		}
	}
	stop := func() {}
	if c.Load {
		stop = r.load(t, 4)
	}
	metadata := filepath.Join(r.dir, "meta.json")
	args := append(slices.Clip(r.buildx), "build", "--builder", r.builder, "--progress", "plain", "--metadata-file", metadata)
	for pair := range slices.Chunk(p.flags(p.n), 2) {
		if pair[0] == "--build-arg" || pair[0] == "--label" || !slices.Contains(c.flags, pair[0]) {
			args = append(args, pair...)
		}
	}
	args = append(append(args, c.flags...), ".")
	_, said, err := r.try(r.ctx, p.dir, nil, args...)
	stop()
	after()
	if err != nil {
		t.Fatalf("%s: %v\n%s", c.Record, err, said[max(0, len(said)-3000):])
	}
	took := time.Since(start)
	b := &build{plan: plan{name: c.Record}, ref: refOf(t, metadata), record: filepath.Join(out, c.Record)}
	r.export(t, b)
	if c.Edited = c.edit != nil; c.Edited {
		editRecord(t, b.record, c.edit)
	}
	r.run(t, "git", "-C", p.dir, "checkout", "--quiet", "--force", "main")
	r.run(t, "git", "-C", p.dir, "clean", "--quiet", "--force", "-d")
	line, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(r.labels, "%s\n", line)
	info, err := os.Stat(b.record)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%-50s %5.1f s  %d bytes", c.Record, took.Seconds(), info.Size())
}

// load keeps processors busy until it is stopped.
func (r *recorder) load(t *testing.T, n int) (stop func()) {
	t.Helper()
	var busy []*exec.Cmd
	for range n {
		cmd := exec.Command("sh", "-c", `echo $$ >"$1/cgroup.procs" && echo $$ >"$2/cgroup.procs" && while :; do :; done`, "sh", r.group, r.share)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		busy = append(busy, cmd)
	}
	return func() {
		for _, cmd := range busy {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
}

// confine puts the builder into a cgroup of version 1, as a container's limits would.
func confine(controller string, settings ...[2]string) func(*recorder, *testing.T) func() {
	return func(r *recorder, t *testing.T) func() {
		t.Helper()
		root := filepath.Join("/sys/fs/cgroup", controller)
		if controller == "cpu" {
			root = r.share
		}
		group := filepath.Join(root, fmt.Sprintf("causes-%d", os.Getpid()))
		if err := os.MkdirAll(group, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, s := range settings {
			write(t, filepath.Join(group, s[0]), s[1])
		}
		pid := fmt.Sprint(r.pid)
		write(t, filepath.Join(group, "cgroup.procs"), pid)
		return func() {
			write(t, filepath.Join(root, "cgroup.procs"), pid)
			os.Remove(group)
		}
	}
}
