package traces

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/attribute"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/pipeline"
)

// newestWithin is how old the newest build may be where none was named.
const newestWithin = 24 * time.Hour

// poll asks the server once for what is wanted. ErrNoTrace means that there is
// nothing yet. TooEarly means that a build of the commit by another run is not it:
// that of this run may be on its way.
func (s *Source) poll(ctx context.Context, wants []fetch.Selector, tooEarly bool) ([]*summary, error) {
	for _, w := range wants {
		var found []*summary
		var err error
		switch {
		case w.TraceID != "":
			found, err = s.byID(ctx, w.TraceID)
		case w.RunID != "":
			if s.named || strings.Contains(w.RunID, "-") { // of what our own run is called, that is enough
				found, err = s.byComputed(ctx, w.RunID)
			}
			if early := found; err == nil && (len(early) == 0 || len(early[0].builds) == 0) {
				if found, err = s.byTag(ctx, attributeRun, w.RunID); len(found) == 0 && err == nil && s.named {
					found, err = s.byAliases(ctx, w.RunID)
				}
				if len(found) == 0 && s.named { // else what is meant may be another trace, on its way
					found = early
				}
			}
			found = slices.DeleteFunc(found, func(t *summary) bool {
				said := t.attributes[attributeRevision]
				return w.Revision != "" && said != "" && said != w.Revision
			})
		case w.Revision != "":
			found, err = s.byTag(ctx, attributeRevision, w.Revision)
			if tooEarly {
				found = slices.DeleteFunc(found, func(t *summary) bool { return isOfAnotherRun(t, wants) })
			}
			found = newestOfEach(found)
		default:
			found, err = s.newest(ctx)
		}
		if err != nil && !errors.Is(err, ErrNoTrace) {
			return nil, err
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, ErrNoTrace
}

// isOfAnotherRun tells whether t says a run that is none of those that are wanted:
// a commit that is built once more is found by its name before its new build has
// arrived. A run may be called by its attempt as well, "7-2" for "7".
func isOfAnotherRun(t *summary, wants []fetch.Selector) bool {
	said := t.attributes[attributeRun]
	asked := false
	for _, w := range wants {
		if w.RunID == "" {
			continue
		}
		asked = true
		if rest, same := strings.CutPrefix(said, w.RunID); same && (rest == "" || strings.ContainsAny(rest[:1], "-./:_")) {
			return false
		}
	}
	return asked && said != ""
}

func (s *Source) byID(ctx context.Context, id string) ([]*summary, error) {
	spans, err := s.server.Trace(ctx, id)
	if err != nil {
		return nil, err
	}
	if t := s.summarize(id, spans, s.Services); t.spans > 0 {
		return []*summary{&t}, nil
	}
	return nil, ErrNoTrace
}

// githubRun is the id of a run of GitHub's, and its attempt; where none is said, one that is
// as long as those of github.com.
var githubRun = regexp.MustCompile(`^(?:(\d{1,18})-(\d{1,3})|(\d{9,18}))$`)

// byComputed asks for the traces whose ids receivers compute out of the id of a run of
// GitHub's and its attempt, the first if none is said.
func (s *Source) byComputed(ctx context.Context, run string) ([]*summary, error) {
	m := githubRun.FindStringSubmatch(run)
	if m == nil {
		return nil, nil
	}
	id, attempt := cmp.Or(m[1], m[3]), cmp.Or(m[2], "1")
	receivers, explorer := sha256.Sum256([]byte(id+attempt+"t")), md5.Sum([]byte(id+"-"+attempt))
	for _, id := range []string{hex.EncodeToString(receivers[:16]), hex.EncodeToString(explorer[:])} {
		found, err := s.byID(ctx, id)
		if err != nil && !errors.Is(err, ErrNoTrace) || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// byAliases finds the run of a pipeline by the other names under which emitters write its
// id, and of the services that they have.
func (s *Source) byAliases(ctx context.Context, run string) (found []*summary, err error) {
	services := s.Services
	if slices.Equal(services, DefaultServices) {
		services = pipeline.Services
	}
	for _, key := range attribute.Aliases[attribute.RunID] {
		tags := maps.Clone(s.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		tags[key] = run
		if found, err = s.recentOf(ctx, services, tags, cmp.Or(s.Lookback, newestWithin), func(*summary) bool { return true }); err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// byTag finds traces by an attribute, the newest first.
func (s *Source) byTag(ctx context.Context, key, value string) ([]*summary, error) {
	tags := maps.Clone(s.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	tags[key] = value
	return s.recent(ctx, tags, cmp.Or(s.Lookback, newestWithin), func(*summary) bool { return true })
}

// newest finds the newest trace with a build.
func (s *Source) newest(ctx context.Context) ([]*summary, error) {
	found, err := s.recent(ctx, s.Tags, newestWithin, func(t *summary) bool { return len(t.builds) > 0 })
	if len(found) > 0 {
		s.note("the newest build in %s was taken: --trace-id or --run-id names another", s.Name)
	}
	return found[:min(len(found), 1)], err
}

// all finds the builds of all traces, as far back as the source looks. What is found
// before an error is lost with it: half a history would be recorded as a whole one.
func (s *Source) all(ctx context.Context) (builds []timeline.Build, problems []error, err error) {
	defer s.waiting("")
	seen := map[string]bool{}
	open := 0
	for _, service := range s.Services {
		f := backfill{
			source: s, question: Question{Service: service, Tags: s.Tags, Limit: fullAnswer},
			newest: s.Now().Add(clockSkew), oldest: s.Now().Add(-cmp.Or(s.Lookback, newestWithin)), uncached: true,
			enough: func() bool { return false },
		}
		f.take = func(t *summary) {
			switch {
			case t.state == buildkit.Open:
				open++
			case !seen[t.id]:
				seen[t.id] = true
				builds = append(builds, t.builds...)
				s.waiting(fmt.Sprintf("%d builds, back to %s", len(builds), t.start.UTC().Format(time.DateTime)))
			}
		}
		if err := f.run(ctx); err != nil {
			return nil, nil, s.wrapError(err)
		}
		if f.truncated {
			problems = append(problems, &ServerError{s.Name, errors.New("it holds more builds at one time than can be asked for: some are left out"), ""})
		}
	}
	if open > 0 {
		problems = append(problems, &ServerError{s.Name, fmt.Errorf("traces without an end are left out: %d", open), ""})
	}
	if len(builds) == 0 {
		return nil, problems, &ServerError{s.Name, fmt.Errorf("%w of the last %v", errNoneWithin, cmp.Or(s.Lookback, newestWithin)), hintNotFound}
	}
	return builds, problems, nil
}

var errNoneWithin = errors.New("no trace of a build")

const (
	fullAnswer = 100       // traces asked for at a time
	clockSkew  = time.Hour // that another machine's clock may be ahead
)

// waiting says what is being waited for.
func (s *Source) waiting(text string) {
	if s.Waiting != nil {
		s.Waiting(text)
	}
}

// recent walks back from now until it has found some that are wanted.
func (s *Source) recent(ctx context.Context, tags map[string]string, back time.Duration, wanted func(*summary) bool) ([]*summary, error) {
	return s.recentOf(ctx, s.Services, tags, back, wanted)
}

// recentOf does so among the traces of some services.
func (s *Source) recentOf(ctx context.Context, services []string, tags map[string]string, back time.Duration, wanted func(*summary) bool) ([]*summary, error) {
	const most = 100        // traces of one run
	const ahead = time.Hour // that another machine's clock may be
	now := s.Now()
	var found []*summary
	for _, service := range services {
		f := backfill{
			source: s, question: Question{Service: service, Tags: tags, Limit: most},
			newest: now.Add(ahead), oldest: now.Add(-back), initial: 2*ahead + time.Minute, uncached: true,
			take: func(t *summary) {
				if wanted(t) {
					found = append(found, t)
				}
			},
			enough: func() bool { return len(found) > 0 },
		}
		if err := f.run(ctx); err != nil {
			return nil, err
		}
		if len(found) > 0 {
			break
		}
	}
	slices.SortFunc(found, func(a, b *summary) int { return cmp.Or(b.start.Compare(a.start), cmp.Compare(a.id, b.id)) })
	return found, nil
}

// newestOfEach keeps the newest trace of each pipeline: a commit may have been
// built several times. found is sorted.
func newestOfEach(found []*summary) []*summary {
	seen := map[string]bool{}
	return slices.DeleteFunc(found, func(t *summary) bool {
		pipeline := t.attributes[attributePipeline]
		again := seen[pipeline]
		seen[pipeline] = true
		return again
	})
}
