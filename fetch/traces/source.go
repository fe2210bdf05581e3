package traces

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// DefaultServices are the programs whose spans carry what a build says of itself.
// The daemon's carry nothing of it.
var DefaultServices = []string{"buildx", "buildctl"}

// Options say what is asked of a server.
type Options struct {
	Name     string            // of the server, a URL without credentials
	Tenant   string            // whose builds the server shows, where it has those of several; "" is unknown
	Services []string          // nil is DefaultServices
	Tags     map[string]string // that builds must have, whichever they are
	// Own are what names the build that this process runs beside, the best first;
	// used where nobody asks for another. Without any it may be the newest.
	Own    []fetch.Selector
	Newest bool
	// Lookback is how far back a build is searched that was asked for.
	Lookback time.Duration
	// Pipeline replaces what the builds of a history say, if it is not "".
	Pipeline string
	// Normalize writes what a build says of itself as it is compared and shown.
	Normalize func(*detect.Build)
	Cache     fetch.SearchCache // keeps what was found; nil if nothing does
	Now       func() time.Time
	Waiting   func(string) // told what is being waited for, "" if for nothing more; may be nil
	// Sleep waits for as long as it is told, or until ctx ends, which is its error;
	// nil does so by the system's clock.
	Sleep func(ctx context.Context, d time.Duration) error
}

// A Source is a server as fetch knows it.
type Source struct {
	Options
	server  Server
	known   map[string]*summary // by the id of a build that was found in it
	notes   []detect.Note
	unsaved []fetch.Search // what was found and is yet to be kept
	reader  buildkit.Reader
}

// New makes an origin of a server.
func New(server Server, o Options) *Source {
	if len(o.Services) == 0 {
		o.Services = DefaultServices
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Normalize == nil {
		o.Normalize = func(*detect.Build) {}
	}
	return &Source{Options: o, server: server, known: map[string]*summary{}}
}

// newestWithin is how old the newest build may be where none was named.
const newestWithin = 24 * time.Hour

// Builds finds the builds to be judged, and waits until they are whole.
func (s *Source) Builds(ctx context.Context, w fetch.Selector) ([]detect.Build, []error, error) {
	wants := []fetch.Selector{w}
	implicit := w.TraceID == "" && w.RunID == "" && w.Revision == ""
	if implicit {
		wants = s.Own
		if len(wants) == 0 && !s.Newest {
			return nil, nil, &ServerError{s.Name, errors.New("nothing says which build is meant"), "--trace-id, --run-id or --revision names it"}
		}
		if len(wants) == 0 {
			wants = []fetch.Selector{{}}
		}
	}
	found, problems, err := s.waitComplete(ctx, wants, implicit)
	if err != nil {
		return nil, nil, s.wrapError(err)
	}
	byID := slices.ContainsFunc(wants, func(w fetch.Selector) bool { return w.TraceID == found[0].id })
	if !byID && isOfAnotherRun(found[0], wants) {
		s.note("no trace says this run: that of run `%s` at the same commit was taken", found[0].attributes[attributeRun])
	}
	var builds []detect.Build
	for _, t := range found {
		for i := range t.builds {
			s.known[t.builds[i].ID] = t
			builds = append(builds, t.builds[i])
		}
	}
	if len(builds) == 0 {
		return nil, nil, &ServerError{
			s.Name, fmt.Errorf("trace %s: %w", found[0].id, fetch.ErrNoBuilds),
			"the client's spans came, the daemon's did not: let BuildKit export its traces, too (OTEL_EXPORTER_OTLP_ENDPOINT of the daemon, --driver-opt env.… of docker buildx create)",
		}
	}
	return builds, problems, nil
}

// wrapError says of which server an error is.
func (s *Source) wrapError(err error) error {
	var t *ServerError
	if err == nil || errors.As(err, &t) {
		return err
	}
	return &ServerError{Server: s.Name, Err: err}
}

// note adds a note to the next history, once.
func (s *Source) note(format string, args ...any) {
	const most = 10
	if n := (detect.Note{Kind: detect.KindHistory, Text: fmt.Sprintf(format, args...)}); len(s.notes) < most && !slices.Contains(s.notes, n) {
		s.notes = append(s.notes, n)
	}
}

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
			found, err = s.byTag(ctx, attributeRun, w.RunID)
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

// recent walks back from now until it has found some that are wanted.
func (s *Source) recent(ctx context.Context, tags map[string]string, back time.Duration, wanted func(*summary) bool) ([]*summary, error) {
	const most = 100        // traces of one run
	const ahead = time.Hour // that another machine's clock may be
	now := s.Now()
	var found []*summary
	for _, service := range s.Services {
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
