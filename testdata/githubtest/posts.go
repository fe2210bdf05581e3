package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

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

// An Issue is one of the repository.
type Issue struct {
	Number      int    `json:"number"`
	Title       string `json:"title"`
	Body        string `json:"body"`
	State       string `json:"state"`
	StateReason string `json:"state_reason,omitempty"`
	User        author `json:"user"`
	HTMLURL     string `json:"html_url"`
	Edits       int    `json:"-"`
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

func (s *Server) handlePosts() {
	s.mux.HandleFunc("GET "+repo+"/issues/{number}/comments", s.listComments)
	s.mux.HandleFunc("POST "+repo+"/issues/{number}/comments", s.createComment)
	s.mux.HandleFunc("PATCH "+repo+"/issues/comments/{id}", s.editComment)
	s.mux.HandleFunc("DELETE "+repo+"/issues/comments/{id}", s.deleteComment)
	s.mux.HandleFunc("GET "+repo+"/issues", s.listIssues)
	s.mux.HandleFunc("POST "+repo+"/issues", s.createIssue)
	s.mux.HandleFunc("PATCH "+repo+"/issues/{number}", s.editIssue)
	s.mux.HandleFunc("POST "+repo+"/check-runs", s.createCheckRun)
	s.mux.HandleFunc("PATCH "+repo+"/check-runs/{id}", s.updateCheckRun)
	s.mux.HandleFunc("GET /user", s.user)
	s.mux.HandleFunc("POST /graphql", s.graphql)
}

// AddComment puts a comment on a pull request, as somebody wrote it.
func (s *Server) AddComment(number int, login, body string) *Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addComment(number, login, body)
}

func (s *Server) addComment(number int, login, body string) *Comment {
	id := s.newID()
	c := &Comment{
		ID: id, Body: body, User: author{login}, Number: number, CreatedAt: s.now(), UpdatedAt: s.now(),
		HTMLURL: fmt.Sprintf("https://github.com/%s/pull/%d#issuecomment-%d", Repository, number, id),
	}
	s.Comments = append(s.Comments, c)
	return c
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
		answer(w, http.StatusCreated, s.addComment(number, r.Header.Get(login), body))
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
		c.Body, c.UpdatedAt, c.Edits = body, s.now(), c.Edits+1
		answer(w, http.StatusOK, c)
	}
}

func (s *Server) deleteComment(w http.ResponseWriter, r *http.Request) {
	if i, ok := s.comment(w, r); ok {
		s.Comments = slices.Delete(s.Comments, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) listIssues(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	list := []*Issue{}
	for _, i := range slices.Backward(s.Issues) { // the newest first
		state := q.Get("state")
		if state == "" {
			state = "open"
		}
		if (state == "all" || state == i.State) && (q.Get("creator") == "" || q.Get("creator") == i.User.Login) {
			list = append(list, i)
		}
	}
	answer(w, http.StatusOK, page(s, w, r, list))
}

// An issueRequest is what may be said of an issue.
type issueRequest struct {
	Title       *string `json:"title"`
	Body        *string `json:"body"`
	State       *string `json:"state"`
	StateReason *string `json:"state_reason"`
}

// takeIssue changes an issue as it is asked to.
func (s *Server) takeIssue(w http.ResponseWriter, r *http.Request, i *Issue) bool {
	var in issueRequest
	if !s.read(w, r, &in) {
		return false
	}
	for to, from := range map[*string]*string{&i.Title: in.Title, &i.Body: in.Body, &i.State: in.State, &i.StateReason: in.StateReason} {
		if from != nil {
			*to = *from
		}
	}
	if i.Title == "" || utf8.RuneCountInString(i.Title) > 256 || utf8.RuneCountInString(i.Body) > tooLong || i.State != "open" && i.State != "closed" ||
		!slices.Contains([]string{"", "completed", "not_planned", "reopened"}, i.StateReason) {
		Refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return false
	}
	return true
}

func (s *Server) createIssue(w http.ResponseWriter, r *http.Request) {
	n := int(s.newID())
	i := &Issue{Number: n, State: "open", User: author{r.Header.Get(login)}, HTMLURL: fmt.Sprintf("https://github.com/%s/issues/%d", Repository, n)}
	if s.takeIssue(w, r, i) {
		s.Issues = append(s.Issues, i)
		answer(w, http.StatusCreated, i)
	}
}

func (s *Server) editIssue(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.PathValue("number"))
	at := slices.IndexFunc(s.Issues, func(i *Issue) bool { return i.Number == number })
	if at < 0 {
		Refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	changed := *s.Issues[at]
	if s.takeIssue(w, r, &changed) {
		changed.Edits++
		*s.Issues[at] = changed
		answer(w, http.StatusOK, &changed)
	}
}

func (s *Server) createCheckRun(w http.ResponseWriter, r *http.Request) {
	c := &CheckRun{}
	if !s.read(w, r, c) || !valid(w, c, c.HeadSHA != "" && c.Name != "") {
		return
	}
	c.ID = s.newID()
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

func (s *Server) user(w http.ResponseWriter, r *http.Request) {
	for _, u := range s.Tokens {
		if u.Login == r.Header.Get(login) && !u.App {
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
	answer(w, http.StatusOK, map[string]any{"data": map[string]any{"viewer": author{r.Header.Get(login)}}})
}
