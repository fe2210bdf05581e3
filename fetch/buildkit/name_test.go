package buildkit

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/google/go-cmp/cmp"
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
		{"exporting to GitHub Actions Cache", "", "[cache export] exporting to GitHub Actions Cache", "cache export", ""},
		{"exporting cache to Amazon S3", "", "[cache export] exporting cache to Amazon S3", "cache export", ""},
		{"exporting cache to client directory", "", "[cache export] exporting cache to client directory", "cache export", ""},
		{"exporting inline cache", "", "[cache export] exporting inline cache", "cache export", ""},
		{"exporting content cache", "", "[cache export] exporting content cache", "cache export", ""},
		{"preparing layers for inline cache", "", "[cache export] preparing layers for inline cache", "cache export", ""},
		{"exporting to client directory", "", "[export] exporting to client directory", "export", ""},
		{"exporting to oci image format", "", "[export] exporting to oci image format", "export", ""},
		{"[internal] load git source https://github.com/a/b.git#0123:services/web", "", "[internal] load git source https://github.com/a/b.git", "internal", ""},
		{"[+build 8d2f03ce77a19b20] RUN make", "", "[+build] RUN make", "+build", "[+build] RUN make"},
		{"[8d2f03ce77a19b20] RUN make", "", "[8d2f03ce77a19b20] RUN make", "8d2f03ce77a19b20", ""},
		{"test (3.11, ubuntu)", "", "[-] test (3.11, ubuntu)", "", ""},
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

// Earthly puts what it knows of a vertex, ids of its run among it, in front of its name.
func TestEarthlyNames(t *testing.T) {
	name := func(fields string) string {
		return "[" + base64.StdEncoding.EncodeToString([]byte(`{"tid":"1f0c…","cid":"77/`+fields+`}`)) + "] RUN make"
	}
	for _, tt := range []struct{ name, key string }{
		{name(`1","tnm":"+build"`), "[+build] RUN make"},
		{name(`2","tnm":"+build"`), "[+build] RUN make"},
		{name(`2","plt":"linux/arm64","tnm":"./web+build"`), "[linux/arm64 ./web+build] RUN make"},
		{name(`3"`), "[earthly] RUN make"},
		{name(`4","tnm":"a] [b"`), "[earthly] RUN make"},
		{name(strings.Repeat("x", 900) + `","tnm":"+build"`), "[+build] RUN make"},
	} {
		if info := stepInfoOf(tt.name, ""); info.key != tt.key || info.rule() == 0 {
			t.Errorf("%s has the key %q by rule %d, want %q", tt.name, info.key, info.rule(), tt.key)
		}
	}
	for _, odd := range []string{"[eyJ!] RUN make", "[eyJh] RUN make", "[eyJhIjo=] RUN make"} {
		if plain, salted := withoutSalt(odd); salted || plain != odd {
			t.Errorf("%q becomes %q", odd, plain)
		}
	}
}

// Keys that are too long stay apart, and bodies of heredocs do.
func TestLongNames(t *testing.T) {
	long := "[b 1/2] RUN " + strings.Repeat("make all ", MaxName/9-10)
	one, two := stepInfoOf(long+"&& make one more thing for all of the platforms that there are: first", ""), stepInfoOf(long+"&& make one more thing for all of the platforms that there are: second", "")
	if len(one.name) > MaxName || one.key == "" {
		t.Fatalf("%d bytes", len(one.name))
	}
	if one.key == two.key {
		t.Error("two instructions have one key")
	}
	first, _ := shortKey(strings.Repeat("x", MaxName+1) + "1")
	second, cut := shortKey(strings.Repeat("x", MaxName+1) + "2")
	if first == second || !cut || len(first) != MaxName {
		t.Errorf("%d bytes, cut %v, equal %v", len(first), cut, first == second)
	}
	const shown = "[b 2/4] RUN <<EOT (set -ex...)"
	body := func(text string) string { return stepInfoOf(shown, text).body }
	if a, b := body("RUN <<EOT set -ex make a EOT"), body("RUN <<EOT set -ex make b EOT"); a == "" || a == b {
		t.Errorf("bodies %q and %q", a, b)
	}
	if a, b := body("RUN <<EOT set -ex get v1.2.3 EOT"), body("RUN <<EOT set -ex get v1.2.4 EOT"); a != b {
		t.Error("another version is another body")
	}
	for _, text := range []string{"", "RUN make", "RUN echo $((1<<2))", "RUN cat <<<x"} {
		if got := body(text); got != "" {
			t.Errorf("%q has the body %q", text, got)
		}
	}
}

// The text of an instruction is kept where neither its name nor its key tells it.
func TestTextIsKeptWhereNothingElseTellsIt(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"[b 1/2] RUN make", "", ""},
		{"[b 1/2] RUN cpu   0.6", "RUN cpu 0.6", ""},
		{"[b 1/2] RUN echo 9d11ad4", "RUN echo $REV", ""}, // the key does
		{"[b 1/2] RUN echo 9d11ad4 1.2", "RUN echo $REV 1.2", "RUN echo $REV 1.2"},
		{"[b 1/2] RUN <<EOT (set -ex...)", "RUN <<EOT set -ex cpu 0.6 EOT", "RUN <<EOT set -ex cpu 0.6 EOT"},
		{"[b 1/2] FROM docker.io/library/node:20", "FROM node:20 AS b", "FROM node:20 AS b"},
		{"[b 1/2] RUN make 1.2", "COPY $A 1.2", ""}, // the wrong line
		{"[internal] load build context", "RUN x 1.2 $A", ""},
	} {
		if got := stepInfoOf(tt.name, tt.text).text; got != tt.want {
			t.Errorf("%q, written %q: %q is kept, want %q", tt.name, tt.text, got, tt.want)
		}
	}
}

// Steps whose names, keys or times older versions told otherwise say so.
func TestRules(t *testing.T) {
	for name, want := range map[string]int{
		"[b 1/3] RUN make":    0,
		"[pull 2/2] RUN make": 0,
		"[b 2/3] COPY . .":    0,
		"[b 3/3] ADD a.tar /": 0,
		"[internal] load build definition from Dockerfile": 0,
		"exporting to image":                                   0,
		"[b 1/3] FROM docker.io/library/alpine:3":              1,
		"[b 3/3] ADD https://x.example/a /a":                   1,
		"[b 3/3] ADD --checksum=sha256:0 https://x.example/ /": 1,
		"[internal] load git source https://x.example/a.git":   1,
		"[internal] load build context":                        1,
		"[context base] load from client":                      1,
		"docker-image://docker.io/docker/dockerfile:1":         1,
		"exporting to GitHub Actions Cache":                    1,
		"importing cache manifest from x":                      1,
		"[internal] load metadata for docker.io/library/a:3":   1,
		"resolve image config for docker.io/docker/dockerfile": 1,
		"test (3.11)":  1,
		"test (arm64)": 0,
	} {
		if info := stepInfoOf(name, ""); info.rule() != want || want > timeline.ReaderVersion {
			t.Errorf("%s is by rule %d, want %d", name, info.rule(), want)
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
		if got := Repository(in); got != want {
			t.Errorf("Repository(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestResourceAttributes(t *testing.T) {
	var got timeline.Build
	apply(&got, map[string]string{
		"cicd.pipeline.name": "image", "vcs.ref.head.name": "refs/heads/main", "vcs.ref.head.revision": "abc",
		"vcs.repository.url.full": "https://token@github.com/a/b", "vcs.repository.name": "b",
		"cicd.pipeline.run.url.full": "https://ci/1", "vcs.change.id": "7", "cicd.worker.name": "runner-17",
	})
	want := timeline.Build{Pipeline: "image", Origin: timeline.Origin{Branch: "main", Revision: "abc", Repository: "https://github.com/a/b", URL: "https://ci/1", PullRequest: "7"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
