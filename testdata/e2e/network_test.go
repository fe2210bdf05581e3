package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// networkImage takes all that it is made of from elsewhere: itself with its context out of
// a git repository, an image, and a file of a server.
const networkImage = `
FROM %s/data:latest AS data

FROM base
COPY --from=data / /data/
ADD %s/file /file
COPY src /src
RUN head -c 1000000 /dev/urandom >/large
RUN head -c 10000 /dev/urandom >/small
`

const (
	layers     = 3       // of the image that is pulled
	layerBytes = 400_000 // that each has, and something around them
	fileBytes  = 1_000_000
)

// A network is where these builds get things from, and bring them to.
type network struct {
	*stack
	files, git struct {
		brake
		address string // http://HOST:PORT
	}
	checkout string // of the repository
	pulled   int64  // bytes of the image's layers
	config   string // digest of its configuration
}

// startNetwork starts what is no registry.
func startNetwork(t *testing.T, s *stack) *network {
	t.Helper()
	n := &network{stack: s, checkout: filepath.Join(s.dir, "checkout")}
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(s.dir, "git", "image.git")
	n.files.address = serve(t, n.files.wrap(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(fileBytes))
		if q.Method == http.MethodGet {
			io.CopyN(w, rand.Reader, fileBytes)
		}
	})))
	n.git.address = serve(t, n.git.wrap(&cgi.Handler{
		Path: git, Args: []string{"http-backend"},
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(bare), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=e2e"},
	}))
	n.run(t, git, "init", "--quiet", "--bare", "--initial-branch", "main", bare)
	n.run(t, git, "clone", "--quiet", bare, n.checkout)
	return n
}

// serve starts a server on a port of its own.
func serve(t *testing.T, handler http.Handler) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String()
}

// publish puts another version of the image into the registry.
func (n *network) publish(t *testing.T) {
	t.Helper()
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	put := func(mediaType string, blob []byte) descriptor {
		d := descriptor{mediaType, fmt.Sprintf("sha256:%x", sha256.Sum256(blob)), len(blob)}
		n.upload(t, http.MethodPost, "blobs/uploads/?digest="+d.Digest, "application/octet-stream", blob)
		return d
	}
	var list []descriptor
	var digests []string
	for i := range layers {
		content := make([]byte, layerBytes)
		rand.Read(content)
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("layer-%d", i), Mode: 0o644, Size: layerBytes}); err != nil {
			t.Fatal(err)
		}
		w.Write(content)
		w.Close()
		list = append(list, put("application/vnd.oci.image.layer.v1.tar", b.Bytes()))
		digests = append(digests, list[i].Digest)
	}
	n.pulled = 0
	for _, layer := range list {
		n.pulled += int64(layer.Size)
	}
	config, _ := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": digests},
	})
	settings := put("application/vnd.oci.image.config.v1+json", config)
	n.config = settings.Digest
	manifest, _ := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": settings, "layers": list,
	})
	n.upload(t, http.MethodPut, "manifests/latest", "application/vnd.oci.image.manifest.v1+json", manifest)
}

// upload makes a request to the registry, past its brake.
func (n *network) upload(t *testing.T, method, path, mediaType string, body []byte) {
	t.Helper()
	q, err := http.NewRequestWithContext(n.ctx, method, "http://"+n.registry.direct+"/v2/data/"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", mediaType)
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s: %s", method, path, response.Status)
	}
}

// commit pushes another commit to a branch of the repository.
func (n *network) commit(t *testing.T, branch string) (revision string) {
	t.Helper()
	n.builds++
	folder := filepath.Join(n.checkout, "shop")
	if n.builds == 1 {
		if err := os.MkdirAll(filepath.Join(folder, "src"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "Dockerfile"), n.base+fmt.Sprintf(networkImage, n.registry.address, n.files.address))
		for name, content := range n.context {
			write(t, filepath.Join(folder, name), string(content))
		}
	}
	write(t, filepath.Join(folder, "src", "main"), random(20))
	git := []string{"git", "-C", n.checkout, "-c", "user.name=e2e", "-c", "user.email=e2e@example.com"}
	n.run(t, append(git, "add", ".")...)
	n.run(t, append(git, "commit", "--quiet", "-m", "another")...)
	n.run(t, append(git, "push", "--quiet", "--force", "origin", "HEAD:"+branch)...)
	return strings.TrimSpace(n.run(t, append(git, "rev-parse", "HEAD")...))
}

// build makes a build of a new commit, with a new version of the image.
func (n *network) build(t *testing.T, p plan) *build {
	t.Helper()
	b := n.prepare(t, p)
	n.perform(t, b, n.args(b))
	if b.fails { // which leaves no metadata to tell
		b.ref += n.lastRef
	}
	return b
}

// prepare makes all that such a build needs.
func (n *network) prepare(t *testing.T, p plan) *build {
	t.Helper()
	n.publish(t)
	b := &build{plan: p, pipeline: "shop/network", traceID: random(16), revision: n.commit(t, p.branch)}
	b.runID = fmt.Sprintf("run-%d", n.builds)
	dir := filepath.Join(n.dir, b.runID)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.metadata, b.progress = filepath.Join(dir, "meta.json"), filepath.Join(dir, "progress.jsonl")
	b.record, b.trace = filepath.Join(dir, "record.dockerbuild"), filepath.Join(dir, "trace.json")
	return b
}

// args are those of buildx.
func (n *network) args(b *build) []string {
	return append([]string{
		"build", "--builder", n.builder, "--progress", "rawjson", "--metadata-file", b.metadata,
		"--tag", n.registry.address + "/shop:" + b.revision[:8], "--push",
		n.git.address + "/image.git#" + b.branch + ":shop",
	}, b.flags...)
}
