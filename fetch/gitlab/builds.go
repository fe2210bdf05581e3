package gitlab

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// Builds is the pipeline that runs us, as far as it has come; else that which w or the
// options name, or the newest that is over.
func (s *Source) Builds(ctx context.Context, w fetch.Selector) ([]timeline.Build, []error, error) {
	wanted := s.Run
	if w.RunID != "" {
		n, err := strconv.ParseInt(w.RunID, 10, 64)
		if err != nil || n <= 0 {
			return nil, nil, fmt.Errorf("%s: %.40q is no id of a pipeline: it is the number in its address", s.Project, w.RunID)
		}
		wanted = n
	}
	if wanted == 0 {
		newest, err := s.newest(ctx, w.Revision)
		if err != nil {
			return nil, nil, err
		}
		wanted = newest
	}
	jobs, err := s.jobsOf(ctx, wanted)
	if err != nil {
		return nil, nil, err
	}
	if len(jobs) == 0 {
		return nil, nil, fmt.Errorf("%s: pipeline %d: %w", s.Project, wanted, errNoJob)
	}
	p := jobs[0].Pipeline
	b, later, problems := s.come(&p, jobs)
	s.later, s.kind = later, p.kind()
	if b == nil || len(b.Steps) == 0 {
		return nil, problems, fmt.Errorf("%s: pipeline %d: %w", s.Project, wanted, errNoJob)
	}
	if s.Normalize != nil {
		s.Normalize(b)
	}
	s.seen = append(s.seen, *b)
	return []timeline.Build{*b}, problems, nil
}

// errNoJob is returned of a pipeline in which nothing is over.
var errNoJob = fetch.ErrorWithHint("no job of it has ended",
	"check from a job of a later stage, or that needs the others; --job may name none")

// newest is the newest pipeline that is over, of a commit or of any.
func (s *Source) newest(ctx context.Context, revision string) (int64, error) {
	is := func(p *pipeline) bool {
		return slices.Contains(ended, p.Status) && (revision == "" || p.SHA == revision)
	}
	var found []pipeline
	var err error
	if s.JobToken {
		_, err = list(ctx, s, "jobs", s.path("jobs"), url.Values{}, jobPages, func(j job) bool {
			if is(&j.Pipeline) {
				found = append(found, j.Pipeline)
			}
			return len(found) == 0
		})
	} else {
		query := url.Values{"scope": {"finished"}}
		if revision != "" {
			query.Set("sha", revision)
		}
		found, err = s.pipelines(ctx, query, 1, is)
	}
	switch {
	case err != nil:
		return 0, err
	case len(found) == 0 && revision != "":
		return 0, fmt.Errorf("%s: no pipeline of commit %.12s is over", s.Project, revision)
	case len(found) == 0:
		return 0, fmt.Errorf("%s: no pipeline is over", s.Project)
	}
	return found[0].ID, nil
}
