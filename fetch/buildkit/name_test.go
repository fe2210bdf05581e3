package buildkit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

func TestLabels(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0a", 32)
	for _, tt := range []struct{ name, text, key, stage, shown string }{
		{"[build 2/3] RUN make", "", "[build] RUN make", "build", ""},
		{"[2/2] RUN make", "", "[-] RUN make", "", ""},
		{"[stage-1 2/2] RUN make", "", "[-] RUN make", "", ""},
		{"[1/2] FROM docker.io/library/node:20" + digest, "FROM node:20", "[-] FROM docker.io/library/node:20", "", ""},
		{"[a 1/2] FROM docker.io/library/node:20" + digest, "FROM --platform=$P node:$V AS a", "[a] FROM node:$V", "a", ""},
		{"[a 1/2] FROM docker.io/library/node:20" + digest, "FROM --platform=$P node:20", "[a] FROM docker.io/library/node:20", "a", ""},
		{`[build 2/3] RUN echo "bbbb2222"`, `RUN echo "$REV"`, `[build] RUN echo "$REV"`, "build", ""},
		{"[build 2/3] RUN <<EOT (echo 1...)", "RUN <<EOT echo $A EOT", "[build] RUN <<EOT (echo 1...)", "build", ""},
		{"[build 2/3] RUN make", "COPY $A $B", "[build] RUN make", "build", ""}, // the wrong line
		{"[internal] load metadata for docker.io/library/node:20", "", "[internal] load metadata for docker.io/library/node:<version>", "internal", ""},
		{"[linux/arm64 internal] load metadata for ghcr.io/a/b:v1-rc" + digest, "", "[linux/arm64 internal] load metadata for ghcr.io/a/b:<version>", "internal", ""},
		{"[internal] load metadata for localhost:5000/a", "", "[internal] load metadata for localhost:5000/a:<version>", "internal", ""},
		{"resolve image config for docker-image://docker.io/docker/dockerfile:1", "", "[internal] resolve image config for docker-image://docker.io/docker/dockerfile:<version>", "internal", ""},
		{"docker-image://docker.io/docker/dockerfile:1" + digest, "", "[internal] docker-image://docker.io/docker/dockerfile:<version>", "internal", ""},
		{"[internal] load git source https://github.com/a/b.git#refs/pull/1/merge", "", "[internal] load git source https://github.com/a/b.git", "internal", ""},
		{"[auth] library/node:pull token for registry-1.docker.io", "", "[auth] library/node:pull token for registry-1.docker.io", "auth", ""},
		{"exporting to image", "", "[export] exporting to image", "export", ""},
		{"exporting cache to registry", "", "[cache export] exporting cache to registry", "cache export", ""},
		{"importing cache manifest from 127.0.0.1:5000/a/b:main", "", "[cache import] importing cache manifest", "cache import", "importing cache manifest from 127.0.0.1:5000/a/b"},
		{"[build 1/1] RUN curl -H 'Authorization: Bearer abcdefghijklmnop'", "", "[build] RUN curl -H 'Authorization: Bearer *****'", "build", "[build 1/1] RUN curl -H 'Authorization: Bearer *****'"},
	} {
		info := stepInfoOf(tt.name, tt.text)
		if tt.shown == "" {
			tt.shown = tt.name
		}
		if info.key != tt.key || info.parsed.Stage != tt.stage || info.name != tt.shown {
			t.Errorf("stepInfoOf(%q, %q)\n has key %q, stage %q, name %q,\nwant key %q, stage %q, name %q",
				tt.name, tt.text, info.key, info.parsed.Stage, info.name, tt.key, tt.stage, tt.shown)
		}
	}
}

func TestClientVertices(t *testing.T) {
	for name, want := range map[string]bool{
		"resolving provenance for metadata file":    true,
		"[internal] load local bake definitions":    true,
		"importing to docker":                       true,
		"[internal] load build definition from x":   false,
		"[build 1/2] RUN echo resolving provenance": false,
	} {
		if got := kindOf(name) == clientOnly; got != want {
			t.Errorf("%q is of the client alone: %v, want %v", name, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	token := "ghp_" + strings.Repeat("x", 36)
	for _, tt := range []struct {
		text  string
		limit int
		want  string
	}{
		{"short", 10, "short"},
		{"a\xffb", 10, "a\uFFFDb"},
		{"ünïcödé", 8, "ünï…"},
		{token, 100, "*****"},
		{"12345 " + token, 20, "12345 *****"}, // redacted before it is cut
	} {
		if got := fetch.Clean(tt.text, tt.limit); got != tt.want {
			t.Errorf("fetch.Clean(%q, %d) = %q, want %q", tt.text, tt.limit, got, tt.want)
		}
	}
}

func TestLastLines(t *testing.T) {
	key := strings.Repeat("MIIEabcdefghijklmnopqrstuvwxyz0123456789\n", 3)
	log := "one\rtwo\n\n-----BEGIN RSA PRIVATE KEY-----\n" + key + "-----END RSA PRIVATE KEY-----\n" +
		key + "-----END PRIVATE KEY-----\npassword=hunter2\nlast"
	want := []string{"two", "*****", "*****", "password=*****", "last"}
	if diff := cmp.Diff(want, lastLines([]byte(log))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRepository(t *testing.T) {
	for in, want := range map[string]string{
		"https://github.com/a/b.git":               "https://github.com/a/b",
		"https://user:secret@github.com/a/b?x=1#y": "https://github.com/a/b",
		"git@github.com:a/b.git":                   "https://github.com/a/b",
		"ssh://git@github.com:22/a/b":              "https://github.com/a/b",
		"a/b":                                      "a/b",
		"":                                         "",
		"https://%zz":                              "",
	} {
		if got := repository(in); got != want {
			t.Errorf("repository(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestResourceAttributes(t *testing.T) {
	var got detect.Build
	apply(&got, map[string]string{
		"cicd.pipeline.name": "image", "vcs.ref.head.name": "refs/heads/main", "vcs.ref.head.revision": "abc",
		"vcs.repository.url.full": "https://token@github.com/a/b", "vcs.repository.name": "b",
		"cicd.pipeline.run.url.full": "https://ci/1", "vcs.change.id": "7", "cicd.worker.name": "runner-17",
	})
	want := detect.Build{Pipeline: "image", Origin: detect.Origin{Branch: "main", Revision: "abc", Repository: "https://github.com/a/b", URL: "https://ci/1", PullRequest: "7"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
