package traces

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/pipeline"
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
	// AnyBranch lets builds that say no branch be the baseline, where none says one.
	AnyBranch bool
	// Lookback is how far back a build is searched that was asked for.
	Lookback time.Duration
	// Pipeline replaces what the builds of a history say, if it is not "".
	Pipeline string
	// Pipelines say how traces of CI pipelines are read.
	Pipelines pipeline.Options
	// Normalize writes what a build says of itself as it is compared and shown.
	Normalize func(*timeline.Build)
	Cache     fetch.SearchCache // keeps what was found; nil if nothing does
	Now       func() time.Time
	Waiting   func(string) // told what is being waited for, "" if for nothing more; may be nil
	// Missing is told once of what is not there yet, or not all of it, and how long it is
	// waited for at most; may be nil.
	Missing func(string)
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
	reader  pipeline.Reader
	named   bool // somebody names the run that is to be judged
}

// New makes an origin of a server.
func New(server Server, o Options) *Source {
	if len(o.Services) == 0 {
		o.Services = DefaultServices
	}
	if o.Sleep == nil {
		o.Sleep = fetch.Sleep
	}
	if o.Normalize == nil {
		o.Normalize = func(*timeline.Build) {}
	}
	return &Source{Options: o, server: server, known: map[string]*summary{}, reader: pipeline.Reader{Options: o.Pipelines}}
}

// Builds finds the builds to be judged, and waits until they are whole.
func (s *Source) Builds(ctx context.Context, w fetch.Selector) ([]timeline.Build, []error, error) {
	if w.All && !w.IsNamed() {
		return s.all(ctx)
	}
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
	s.named = !implicit
	found, problems, err := s.waitComplete(ctx, wants, implicit)
	if err != nil {
		return nil, nil, s.wrapError(err)
	}
	byID := slices.ContainsFunc(wants, func(w fetch.Selector) bool { return w.TraceID == found[0].id })
	if !byID && isOfAnotherRun(found[0], wants) {
		s.note("no trace says this run: that of run `%s` at the same commit was taken", found[0].attributes[attributeRun])
	}
	var builds []timeline.Build
	for _, t := range found {
		for i := range t.builds {
			s.known[t.builds[i].ID] = t
			builds = append(builds, t.builds[i])
		}
	}
	if len(builds) == 0 {
		advice := hintNoDaemon
		if found[0].state == buildkit.Foreign || found[0].rootless {
			advice = hintOf(found[0].noBuild)
		}
		return nil, nil, &ServerError{s.Name, fmt.Errorf("trace %s: %w", found[0].id, found[0].noBuild), advice}
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
func (s *Source) note(format string, args ...any) { s.noteOf(detect.KindHistory, format, args...) }

func (s *Source) noteOf(kind detect.Kind, format string, args ...any) {
	const most = 10
	if n := (detect.Note{Kind: kind, Text: fmt.Sprintf(format, args...)}); len(s.notes) < most && !slices.Contains(s.notes, n) {
		s.notes = append(s.notes, n)
	}
}
