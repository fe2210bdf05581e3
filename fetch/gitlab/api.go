package gitlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/httpclient"
)

// What is read of GitLab's answers, by its description of the API,
// https://docs.gitlab.com/api/pipelines/ and https://docs.gitlab.com/api/jobs/.

// A pipeline is one run.
type pipeline struct {
	ID      int64     `json:"id"`
	Status  string    `json:"status"`
	Source  string    `json:"source"` // what started it
	Ref     string    `json:"ref"`
	SHA     string    `json:"sha"`
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
	WebURL  string    `json:"web_url"`
}

// A job is one of a pipeline. Times that have not come are null.
type job struct {
	ID           int64     `json:"id"`
	Name         string    `json:"name"`
	Stage        string    `json:"stage"`
	Status       string    `json:"status"`
	Tag          bool      `json:"tag"` // the pipeline is a tag's
	AllowFailure bool      `json:"allow_failure"`
	Started      time.Time `json:"started_at"`
	Finished     time.Time `json:"finished_at"`
	Queued       float64   `json:"queued_duration"` // seconds that it waited for a runner
	Tags         []string  `json:"tag_list"`        // of the runners that may take it
	Failure      string    `json:"failure_reason"`
	Pipeline     pipeline  `json:"pipeline"`
}

// ErrDenied is returned where GitLab does not let us read, or says that there is
// nothing, which is how it hides what a token may not see.
var ErrDenied = errors.New("not allowed")

// A deniedError is ErrDenied, with what may be done about it.
type deniedError struct {
	text, advice string
}

func (e *deniedError) Error() string { return e.text }
func (e *deniedError) Unwrap() error { return ErrDenied }
func (e *deniedError) Hint() string  { return e.advice }

// A LimitError tells that GitLab takes no more requests for now.
type LimitError struct {
	Wait time.Duration // 0 if it does not say
}

func (e *LimitError) Error() string {
	if e.Wait > 0 {
		return fmt.Sprintf("GitLab's rate limit is used up for %v", e.Wait.Round(time.Second))
	}
	return "GitLab's rate limit is used up"
}

// Hint says how to have more requests.
func (*LimitError) Hint() string {
	return "a token has more requests than none: GITLAB_TOKEN; a cached .buildregress needs fewer of them"
}

// isExhausted tells whether an error means that a budget is used up, of requests or of
// time: what was had until then is all there will be.
func isExhausted(err error) bool {
	return errors.As(err, new(*LimitError)) || errors.Is(err, context.DeadlineExceeded)
}

// path is that of something of the project.
func (s *Source) path(parts ...string) string {
	return "/projects/" + url.PathEscape(s.Project) + "/" + strings.Join(parts, "/")
}

func id(n int64) string { return strconv.FormatInt(n, 10) }

// list gets the pages of a list, until each returns false, there are no more, or there were
// so many. more tells that it was not to the end.
func list[T any](ctx context.Context, s *Source, what, path string, query url.Values, pages int, each func(T) bool) (more bool, err error) {
	query.Set("per_page", strconv.Itoa(perPage))
	for range pages {
		var page []*T
		header, err := s.get(ctx, what, path, query, &page)
		if err != nil {
			return true, err
		}
		for _, item := range page {
			if item != nil && !each(*item) {
				return true, nil
			}
		}
		next := nextPage(header)
		if next == nil {
			return false, nil
		}
		query = next
	}
	return true, nil
}

// nextPage is the query of the page behind an answer, nil if it is the last: GitLab
// counts the pages of some lists, and marks the place in others.
func nextPage(h http.Header) url.Values {
	for link := range strings.SplitSeq(strings.Join(h.Values("Link"), ","), ",") {
		address, rel, _ := strings.Cut(link, ";")
		if !strings.Contains(rel, `rel="next"`) {
			continue
		}
		// Its host may be another than ours, behind a proxy: we ask where we asked.
		if u, err := url.Parse(strings.Trim(strings.TrimSpace(address), "<>")); err == nil {
			return u.Query()
		}
	}
	return nil
}

// get gets what is at a path.
func (s *Source) get(ctx context.Context, what, path string, query url.Values, into any) (http.Header, error) {
	answer, err := s.Client.Get(ctx, path, query, "application/json")
	if err != nil {
		return nil, s.wrapError(what, err)
	}
	defer answer.Close()
	data, err := io.ReadAll(io.LimitReader(answer, maxAnswer+1))
	switch {
	case err != nil:
		return nil, s.wrapError(what, err)
	case len(data) > maxAnswer:
		return nil, s.wrapError(what, fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20))
	}
	if err := boundjson.Unmarshal(data, into); err != nil {
		return nil, s.wrapError(what, fmt.Errorf("GitLab's answer: %w", err))
	}
	return answer.Header, nil
}

// wrapError says what an error of the client's means. what was being read is named in it.
func (s *Source) wrapError(what string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	status, ok := errors.AsType[*httpclient.StatusError](err)
	if !ok {
		return fmt.Errorf("%s: %s: %w", s.Project, what, err)
	}
	said := ""
	if status.Text != "" {
		said = ": " + fetch.Cut(status.Text, 200)
	}
	denied := func(text string) error {
		advice := "GITLAB_TOKEN holds a token with read_api of this GitLab; CI_SERVER_URL names another GitLab than gitlab.com"
		if s.JobToken {
			advice = "CI_JOB_TOKEN may read jobs in newer versions of GitLab alone, and of its own project: GITLAB_TOKEN holds another token, with read_api"
		}
		return &deniedError{fmt.Sprintf("%s: %s: %s (%d%s)", s.Project, what, text, status.Code, said), advice}
	}
	switch status.Code {
	case http.StatusUnauthorized:
		if s.Anonymous {
			return denied("not allowed without a token")
		}
		return denied("GitLab does not know the token")
	case http.StatusForbidden:
		return denied("not allowed by the token")
	case http.StatusNotFound:
		return denied("it does not exist, or the token may not see it")
	case http.StatusTooManyRequests:
		return &LimitError{status.RetryAfter}
	}
	return fmt.Errorf("%s: %s: GitLab answers %d%s", s.Project, what, status.Code, said)
}

// jobsOf are the jobs of a pipeline, each as it was run last.
func (s *Source) jobsOf(ctx context.Context, of int64) (jobs []job, err error) {
	_, err = list(ctx, s, "jobs of pipeline "+id(of), s.path("pipelines", id(of), "jobs"), url.Values{}, maxJobs/perPage, func(j job) bool {
		jobs = append(jobs, j)
		return len(jobs) < maxJobs
	})
	return jobs, err
}

// pipelines are the newest that a query finds and that are to be kept, at most so many.
// An error comes with those that were had before.
func (s *Source) pipelines(ctx context.Context, query url.Values, most int, keep func(*pipeline) bool) (found []pipeline, err error) {
	_, err = list(ctx, s, "pipelines", s.path("pipelines"), query, maxPages, func(p pipeline) bool {
		if keep(&p) {
			found = append(found, p)
		}
		return len(found) < most
	})
	return found, err
}
