package github

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/testdata/githubtest"
)

// tellsNothing checks that no secret is in a text.
func tellsNothing(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{githubtest.Token, "sig=", "secret"} {
		if strings.Contains(text, secret) {
			t.Errorf("a secret in %q", text)
		}
	}
}

// The token goes to the API and nowhere else, wherever that sends us.
func TestTokenStays(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s was sent %q", r.URL, r.Header.Get("Authorization"))
		}
		githubtest.Refuse(w, 404, "Not Found")
	}))
	defer elsewhere.Close()
	for _, path := range []string{"/workflows/", "/actions/artifacts", "/zip"} {
		for _, status := range []int{301, 302, 307, 308} {
			s := githubtest.New(t, clock)
			addMain(t, s, 0, 2)
			r := OpenRecords(options(t, s, pull(t, s).GetID()))
			q := query(t, r)
			s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, path) {
					return false
				}
				http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
				return true
			}
			h, err := r.History(t.Context(), q)
			if err == nil && len(h.Base) > 0 {
				t.Errorf("%s, %d: %d builds", path, status, len(h.Base))
			}
			tellsNothing(t, fmt.Sprint(h, err))
		}
	}
}

// Where a download is sent to carries a signature, readable or not.
func TestSignaturesStay(t *testing.T) {
	const broken = "http://no host/%zz?sig=secret"
	for name, redirect := range map[string]func(s *githubtest.Server) *func(http.ResponseWriter, *http.Request) bool{
		"by the API":        func(s *githubtest.Server) *func(http.ResponseWriter, *http.Request) bool { return &s.Fault },
		"by the blob store": func(s *githubtest.Server) *func(http.ResponseWriter, *http.Request) bool { return &s.BlobFault },
	} {
		for _, to := range []string{broken, "http://127.0.0.1:1/a?sig=secret", "ftp://host.invalid/a?sig=secret", "/\x00?sig=secret"} {
			s := githubtest.New(t, clock)
			addMain(t, s, 0, 1)
			r := OpenRecords(options(t, s, pull(t, s).GetID()))
			q := query(t, r)
			*redirect(s) = func(w http.ResponseWriter, r *http.Request) bool {
				if name == "by the API" && !strings.HasSuffix(r.URL.Path, "/zip") {
					return false
				}
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
				return true
			}
			h, err := r.History(t.Context(), q)
			if err != nil || len(h.Base) > 0 || len(h.Notes) == 0 {
				t.Errorf("%s, %s: %+v, %v", name, to, h, err)
			}
			tellsNothing(t, fmt.Sprint(h, err))
		}
	}
}
