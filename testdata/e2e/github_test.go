package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/buildregress/buildregress/testdata/githubtest"
)

// A hub is a GitHub that keeps what is posted, has what builds left, and lets
// GitHub's own description of its API look at each request before it is answered.
type hub struct {
	address string
	github  *githubtest.Server
	files   http.Handler // of the server beside the API: releases

	api string // where the description answers

	mu       sync.Mutex
	wrong    []string
	requests []string
}

const (
	writer = "ghs_writer00000000000000000000000000000000"
	reader = "ghs_reader00000000000000000000000000000000"
)

// startHub starts one. What the description says against a request fails the test
// in the end.
func startHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{github: githubtest.New(t, time.Now), api: startPrism(t)}
	h.github.GraphQL = true
	h.github.Tokens[writer] = githubtest.User{Login: "github-actions[bot]", App: true}
	h.github.Tokens[reader] = githubtest.User{Login: "github-actions[bot]", App: true, ReadOnly: true}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/buildregress/") {
			h.files.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h.look(r, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.github.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	h.address = srv.URL
	h.files = http.NotFoundHandler()
	t.Cleanup(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, line := range h.wrong {
			t.Errorf("GitHub's description of its API: %s", line)
		}
	})
	return h
}

// look asks GitHub's description what it has against a request. GraphQL is not in it.
func (h *hub) look(r *http.Request, body []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, r.Method+" "+r.URL.Path)
	if r.URL.Path == "/graphql" {
		return
	}
	ask, err := http.NewRequestWithContext(r.Context(), r.Method, h.api+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		h.wrong = append(h.wrong, err.Error())
		return
	}
	ask.Header = r.Header.Clone()
	// The media types of the client are older names of this one, which GitHub knows
	// and its description does not.
	if strings.HasPrefix(ask.Header.Get("Accept"), "application/vnd.github.") {
		ask.Header.Set("Accept", "application/json")
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(ask)
	if err != nil {
		h.wrong = append(h.wrong, err.Error())
		return
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if answer.StatusCode >= 400 && !ownExample(answer.StatusCode, text) {
		h.wrong = append(h.wrong, fmt.Sprintf("%s %s: %d %s", r.Method, r.URL.RequestURI(), answer.StatusCode, text))
	}
}

// ownExample tells whether what is wrong is an answer that stands in the description
// as an example: one of them lacks what the description asks for.
func ownExample(status int, text []byte) bool {
	var problem struct {
		Validation []struct{ Location []string }
	}
	if status != http.StatusInternalServerError || json.Unmarshal(text, &problem) != nil || len(problem.Validation) == 0 {
		return false
	}
	for _, v := range problem.Validation {
		if len(v.Location) == 0 || v.Location[0] != "response" {
			return false
		}
	}
	return true
}

// asked counts the requests that a pattern matches, as "GET /path".
func (h *hub) asked(pattern string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	is := regexp.MustCompile("^" + pattern + "$")
	return len(slices.DeleteFunc(slices.Clone(h.requests), func(r string) bool { return !is.MatchString(r) }))
}

// Packages of npm, and their versions.
const (
	openapi = "@octokit/openapi@23.0.2"
	prism   = "@stoplight/prism-cli@5.16.0"
)

// startPrism starts a server that knows nothing but GitHub's description of its API,
// and returns its address.
func startPrism(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Fatal("the description of GitHub's API needs npm (apt-get install nodejs npm)")
	}
	dir := filepath.Join(cacheDir(t), "prism-"+strings.NewReplacer("@", "", "/", "-").Replace(openapi+"-"+prism))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", dir, openapi, prism)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("npm: %v\n%s", err, out)
		}
		write(t, filepath.Join(dir, "complete"), "")
	}
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(modules, "@stoplight/prism-cli/dist/index.js"), "mock", "--errors",
		"--host", "127.0.0.1", "--port", port, filepath.Join(modules, "@octokit/openapi/generated/api.github.com.json"))
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { endGroup(cmd.Process.Pid); <-ended })
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		response, err := http.Get("http://" + address + "/zen")
		if err == nil {
			response.Body.Close()
			return "http://" + address
		}
		select {
		case <-ended:
			t.Fatalf("prism: it ended\n%s", &log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("prism: %v\n%s", err, &log)
		}
	}
}
