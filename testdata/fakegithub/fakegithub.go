// Package fakegithub is a GitHub for tests, as far as posting goes: it keeps
// comments and check runs in memory, and is as strict as GitHub is about rights,
// sizes and counts.
package fakegithub

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// A Server is one repository, "shop/app".
type Server struct {
	mu       sync.Mutex
	mux      *http.ServeMux
	next     int64
	Now      func() time.Time
	Tokens   map[string]User
	PerPage  int // most that a page holds, 100 if it is 0
	GraphQL  bool
	Comments []*Comment
	Checks   []*CheckRun
	Pulls    []Pull
	// Fault may answer a request in GitHub's place, and tells whether it did. It is
	// called while nothing else is served.
	Fault   func(s *Server, w http.ResponseWriter, r *http.Request) bool
	Journal []string // "GET /repos/shop/app/…", without queries
}

// A User is who a token stands for.
type User struct {
	Login    string
	App      bool // it cannot ask who it is
	ReadOnly bool
}

// A Comment is one on a pull request.
type Comment struct {
	ID        int64     `json:"id"`
	Body      string    `json:"body"`
	User      author    `json:"user"`
	HTMLURL   string    `json:"html_url"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	Number int `json:"-"` // of the pull request
	Edits  int `json:"-"`
}

type author struct {
	Login string `json:"login"`
}

// A CheckRun is one on a commit.
type CheckRun struct {
	ID          int64        `json:"id"`
	Name        string       `json:"name"`
	HeadSHA     string       `json:"head_sha"`
	Status      string       `json:"status,omitempty"`
	Conclusion  string       `json:"conclusion,omitempty"`
	DetailsURL  string       `json:"details_url,omitempty"`
	HTMLURL     string       `json:"html_url"`
	StartedAt   string       `json:"started_at,omitempty"`
	CompletedAt string       `json:"completed_at,omitempty"`
	Output      Output       `json:"output"`
	Annotations []Annotation `json:"-"` // of all requests
	Batches     []int        `json:"-"` // how many came with each request
}

// Output is what a check run shows.
type Output struct {
	Title       string       `json:"title"`
	Summary     string       `json:"summary"`
	Annotations []Annotation `json:"annotations,omitempty"`
}

// An Annotation stands beside a line.
type Annotation struct {
	Path      string `json:"path"`
	StartLine int    `json:"start_line"`
	EndLine   int    `json:"end_line"`
	Level     string `json:"annotation_level"`
	Title     string `json:"title"`
	Message   string `json:"message"`
}

// A Pull is an open pull request.
type Pull struct {
	Number                    int
	HeadRepository, Ref, SHA  string
	BaseRef, State, BaseOwner string
}

// Repository is the one there is.
const Repository = "shop/app"

// New is a server with two tokens: "writer" of a workflow, and "reader", that of a
// pull request from a fork.
func New() *Server {
	s := &Server{
		next: 1000, Now: time.Now,
		Tokens: map[string]User{
			"writer": {"github-actions[bot]", true, false},
			"reader": {"github-actions[bot]", true, true},
			"person": {"octocat", false, false},
			"app":    {"builder[bot]", true, false},
		},
	}
	s.mux = http.NewServeMux()
	const repo = "/repos/" + Repository
	s.mux.HandleFunc("GET "+repo+"/issues/{number}/comments", s.listComments)
	s.mux.HandleFunc("POST "+repo+"/issues/{number}/comments", s.createComment)
	s.mux.HandleFunc("PATCH "+repo+"/issues/comments/{id}", s.editComment)
	s.mux.HandleFunc("DELETE "+repo+"/issues/comments/{id}", s.deleteComment)
	s.mux.HandleFunc("POST "+repo+"/check-runs", s.createCheckRun)
	s.mux.HandleFunc("PATCH "+repo+"/check-runs/{id}", s.updateCheckRun)
	s.mux.HandleFunc("GET "+repo+"/pulls", s.listPulls)
	s.mux.HandleFunc("GET /user", s.user)
	s.mux.HandleFunc("POST /graphql", s.graphql)
	return s
}

// Add puts a comment there, as somebody wrote it.
func (s *Server) Add(number int, login, body string) *Comment {
	s.next++
	c := &Comment{
		ID: s.next, Body: body, User: author{login}, Number: number, CreatedAt: s.Now(), UpdatedAt: s.Now(),
		HTMLURL: fmt.Sprintf("https://github.com/%s/pull/%d#issuecomment-%d", Repository, number, s.next),
	}
	s.Comments = append(s.Comments, c)
	return c
}

// Asked counts the requests of a method whose path ends in a text.
func (s *Server) Asked(method, end string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.Journal {
		if strings.HasPrefix(line, method+" ") && strings.HasSuffix(line, end) {
			n++
		}
	}
	return n
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Journal = append(s.Journal, r.Method+" "+r.URL.Path)
	if s.Fault != nil && s.Fault(s, w, r) {
		return
	}
	user, known := s.Tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	switch {
	case !known:
		Refuse(w, http.StatusUnauthorized, "Bad credentials")
		return
	case user.ReadOnly && r.Method != http.MethodGet && r.URL.Path != "/graphql":
		Refuse(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	}
	r2 := r.Clone(r.Context())
	r2.Header.Set("X-Login", user.Login)
	if _, pattern := s.mux.Handler(r2); pattern == "" {
		Refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	s.mux.ServeHTTP(w, r2)
}

// Refuse answers as GitHub does.
func Refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest"})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func (s *Server) read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		Refuse(w, http.StatusBadRequest, "Problems parsing JSON: "+err.Error())
		return false
	}
	return true
}

func (s *Server) listComments(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.PathValue("number"))
	since, _ := time.Parse(time.RFC3339, r.URL.Query().Get("since"))
	list := []*Comment{}
	for _, c := range s.Comments {
		if c.Number == number && !c.UpdatedAt.Before(since) {
			list = append(list, c)
		}
	}
	answer(w, http.StatusOK, page(s, w, r, list))
}

// page is the part of a list that was asked for, with a link to the next.
func page[T any](s *Server, w http.ResponseWriter, r *http.Request, list []T) []T {
	q := r.URL.Query()
	n, _ := strconv.Atoi(q.Get("page"))
	size, _ := strconv.Atoi(q.Get("per_page"))
	if size == 0 {
		size = 30
	}
	most := 100
	if s.PerPage > 0 {
		most = s.PerPage
	}
	size, n = min(size, most), max(n, 1)
	from, to := min((n-1)*size, len(list)), min(n*size, len(list))
	if to < len(list) {
		q.Set("page", strconv.Itoa(n+1))
		next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: q.Encode()}
		w.Header().Set("Link", fmt.Sprintf("<%s>; rel=\"next\"", &next))
	}
	return list[from:to]
}

// tooLong is what GitHub takes of a text.
const tooLong = 65_536

func (s *Server) body(w http.ResponseWriter, r *http.Request) (string, bool) {
	var in struct {
		Body string `json:"body"`
	}
	switch {
	case !s.read(w, r, &in):
		return "", false
	case in.Body == "":
		Refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return "", false
	case utf8.RuneCountInString(in.Body) > tooLong:
		answer(w, http.StatusUnprocessableEntity, map[string]any{"message": "Validation Failed", "errors": []map[string]string{{
			"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": "Body is too long (maximum is 65536 characters)",
		}}})
		return "", false
	}
	return in.Body, true
}

func (s *Server) createComment(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.PathValue("number"))
	if body, ok := s.body(w, r); ok {
		answer(w, http.StatusCreated, s.Add(number, r.Header.Get("X-Login"), body))
	}
}

func (s *Server) comment(w http.ResponseWriter, r *http.Request) (int, bool) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	i := slices.IndexFunc(s.Comments, func(c *Comment) bool { return c.ID == id })
	if i < 0 {
		Refuse(w, http.StatusNotFound, "Not Found")
	}
	return i, i >= 0
}

func (s *Server) editComment(w http.ResponseWriter, r *http.Request) {
	i, ok := s.comment(w, r)
	if !ok {
		return
	}
	if body, ok := s.body(w, r); ok {
		c := s.Comments[i]
		c.Body, c.UpdatedAt, c.Edits = body, s.Now(), c.Edits+1
		answer(w, http.StatusOK, c)
	}
}

func (s *Server) deleteComment(w http.ResponseWriter, r *http.Request) {
	if i, ok := s.comment(w, r); ok {
		s.Comments = slices.Delete(s.Comments, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) createCheckRun(w http.ResponseWriter, r *http.Request) {
	c := &CheckRun{}
	if !s.read(w, r, c) || !valid(w, c, c.HeadSHA != "" && c.Name != "") {
		return
	}
	s.next++
	c.ID = s.next
	c.HTMLURL = fmt.Sprintf("https://github.com/%s/runs/%d", Repository, c.ID)
	c.Annotations, c.Batches, c.Output.Annotations = c.Output.Annotations, []int{len(c.Output.Annotations)}, nil
	s.Checks = append(s.Checks, c)
	answer(w, http.StatusCreated, c)
}

func (s *Server) updateCheckRun(w http.ResponseWriter, r *http.Request) {
	in := &CheckRun{}
	if !s.read(w, r, in) || !valid(w, in, true) {
		return
	}
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	i := slices.IndexFunc(s.Checks, func(c *CheckRun) bool { return c.ID == id })
	if i < 0 {
		Refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	c := s.Checks[i]
	c.Annotations = append(c.Annotations, in.Output.Annotations...)
	c.Batches = append(c.Batches, len(in.Output.Annotations))
	answer(w, http.StatusOK, c)
}

func valid(w http.ResponseWriter, c *CheckRun, ok bool) bool {
	ok = ok && c.Output.Title != "" && c.Output.Summary != "" && utf8.RuneCountInString(c.Output.Summary) < tooLong &&
		len(c.Output.Annotations) <= 50 && (c.Status != "completed" || c.Conclusion != "")
	for _, a := range c.Output.Annotations {
		ok = ok && a.Path != "" && a.StartLine > 0 && a.EndLine >= a.StartLine && a.Message != "" && len(a.Message) <= 64<<10 &&
			len(a.Title) <= 255 && slices.Contains([]string{"notice", "warning", "failure"}, a.Level)
	}
	if !ok {
		Refuse(w, http.StatusUnprocessableEntity, "Invalid request.")
	}
	return ok
}

func (s *Server) listPulls(w http.ResponseWriter, r *http.Request) {
	owner, ref, _ := strings.Cut(r.URL.Query().Get("head"), ":")
	list := []map[string]any{}
	for _, p := range s.Pulls {
		if o, _, _ := strings.Cut(p.HeadRepository, "/"); o != owner || p.Ref != ref || p.State != "open" {
			continue
		}
		list = append(list, map[string]any{
			"number": p.Number, "state": p.State,
			"head": map[string]any{"ref": p.Ref, "sha": p.SHA, "repo": map[string]any{"full_name": p.HeadRepository}},
			"base": map[string]any{"ref": p.BaseRef, "repo": map[string]any{"full_name": Repository}},
		})
	}
	answer(w, http.StatusOK, page(s, w, r, list))
}

func (s *Server) user(w http.ResponseWriter, r *http.Request) {
	for _, u := range s.Tokens {
		if u.Login == r.Header.Get("X-Login") && !u.App {
			answer(w, http.StatusOK, author{u.Login})
			return
		}
	}
	Refuse(w, http.StatusForbidden, "Resource not accessible by integration")
}

func (s *Server) graphql(w http.ResponseWriter, r *http.Request) {
	if !s.GraphQL {
		Refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	answer(w, http.StatusOK, map[string]any{"data": map[string]any{"viewer": author{r.Header.Get("X-Login")}}})
}
