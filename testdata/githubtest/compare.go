package githubtest

import (
	"net/http"
	"strings"

	gh "github.com/google/go-github/v60/github"
)

// A Comparison is what GitHub says of two commits: how the second stands to the first, and
// the files that it changed since they went apart.
type Comparison struct {
	Status string // "ahead", "behind", "diverged", "identical"
	Files  []*gh.CommitFile
}

// compare answers GET /compare/BEFORE...AFTER.
func (s *Server) compare(w http.ResponseWriter, r *http.Request) {
	before, after, ok := strings.Cut(r.PathValue("commits"), "...")
	found, known := s.Comparisons[[2]string{before, after}]
	if !ok || !known {
		Refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	files := found.Files
	const most = 300
	if page := r.URL.Query().Get("page"); page != "" && page != "1" {
		files = nil // they stand on the first
	}
	answer(w, http.StatusOK, &gh.CommitsComparison{Status: &found.Status, Files: files[:min(len(files), most)]})
}
