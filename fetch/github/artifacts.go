package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/file"
	gh "github.com/google/go-github/v60/github"
)

// holdsRecord tells by its name whether an artifact may hold build records:
// those of docker/build-push-action end in .dockerbuild, and those that people
// upload themselves are to begin with buildregress.
func holdsRecord(a *gh.Artifact) bool {
	name := strings.ToLower(a.GetName())
	return strings.HasSuffix(name, ".dockerbuild") || strings.HasPrefix(name, "buildregress")
}

// artifactsOf finds the artifacts of runs, which are given newest first, that may
// hold records. An error comes with those that were found before.
//
// The list of all artifacts of the repository tells of which run each is: a page
// of it does for many runs. Where few of its artifacts are ours, it takes fewer
// requests to ask for each run.
func (s *source) artifactsOf(ctx context.Context, runs []*gh.WorkflowRun) (map[int64][]*gh.Artifact, error) {
	found := map[int64][]*gh.Artifact{}
	seen := map[int64]bool{}
	wanted := map[int64]bool{}
	for _, r := range runs {
		wanted[r.GetID()] = true
	}
	add := func(run int64, a *gh.Artifact) {
		if wanted[run] && !seen[a.GetID()] && holdsRecord(a) {
			seen[a.GetID()] = true
			found[run] = append(found[run], a)
		}
	}
	rest := runs // of which the pages do not tell all yet
	o := gh.ListOptions{PerPage: perPage}
	for pages := 1; len(rest) > 1 && pages <= maxPages; pages++ {
		list, resp, err := s.Client.Actions.ListArtifacts(ctx, s.Owner, s.Name, &o)
		if err != nil {
			return found, s.wrapError("artifacts", resp, err)
		}
		inOrder := slices.IsSortedFunc(list.Artifacts, func(a, b *gh.Artifact) int {
			return b.GetCreatedAt().Compare(a.GetCreatedAt().Time)
		})
		if !inOrder {
			rest = runs
			break
		}
		for _, a := range list.Artifacts {
			add(a.GetWorkflowRun().GetID(), a)
		}
		if resp.NextPage <= o.Page {
			rest = nil
			break
		}
		o.Page = resp.NextPage
		if len(list.Artifacts) == 0 {
			break
		}
		oldest := list.Artifacts[len(list.Artifacts)-1].GetCreatedAt()
		for len(rest) > 0 && rest[0].GetCreatedAt().After(oldest.Time) {
			rest = rest[1:]
		}
		if len(runs)-len(rest) < 2*pages {
			break
		}
	}
	return found, s.listEach(ctx, rest, add)
}

// listEach asks for the artifacts of each run.
func (s *source) listEach(ctx context.Context, runs []*gh.WorkflowRun, add func(int64, *gh.Artifact)) (first error) {
	var mu sync.Mutex
	forEach(len(runs), func(i int) bool {
		id := runs[i].GetID()
		artifacts, err := s.artifactsOfRun(ctx, id)
		if len(runs) > 1 && errors.Is(err, ErrDenied) && !errors.Is(err, errRefused) {
			err = nil // it was listed, and is deleted since
		}
		mu.Lock()
		defer mu.Unlock()
		for _, a := range artifacts {
			add(id, a)
		}
		if first == nil {
			first = err
		}
		return err == nil
	})
	return first
}

func (s *source) artifactsOfRun(ctx context.Context, id int64) (artifacts []*gh.Artifact, err error) {
	o := gh.ListOptions{PerPage: perPage}
	for range maxPages {
		list, resp, err := s.Client.Actions.ListWorkflowRunArtifacts(ctx, s.Owner, s.Name, id, &o)
		if err != nil {
			return artifacts, s.wrapError(fmt.Sprintf("artifacts of run %d", id), resp, err)
		}
		artifacts = append(artifacts, list.Artifacts...)
		if resp.NextPage <= o.Page {
			break
		}
		o.Page = resp.NextPage
	}
	return artifacts, nil
}

// Why an artifact gives no builds, besides errors of the network.
var (
	errExpired  = errors.New("expired")
	errTooLarge = fmt.Errorf("larger than %d MiB", maxArtifact>>20)
	errNoRecord = errors.New("no build record")
	errTooMany  = errors.New("too many steps in all")
)

// read gets the builds in an artifact: out of cached, if they are there, else from GitHub. Their identity is what the artifact says. Warnings tell what
// in it could not be read.
func (s *source) read(ctx context.Context, a *gh.Artifact, cached map[string]fetch.Cached) (builds []timeline.Build, warnings []error, err error) {
	id := strconv.FormatInt(a.GetID(), 10)
	known, ok := cached[id]
	if !ok || known.Old {
		builds, warnings, err = s.readAnew(ctx, id, a)
		if !ok || !errors.Is(err, errExpired) {
			return builds, warnings, err
		}
		if !a.GetExpired() { // it is not asked for again
			s.putCached(ctx, "artifacts", id, known.Builds)
		}
	}
	if len(known.Builds) == 0 {
		return nil, nil, errNoRecord
	}
	return known.Builds, nil, nil
}

// readAnew gets the builds in an artifact from GitHub.
func (s *source) readAnew(ctx context.Context, id string, a *gh.Artifact) (builds []timeline.Build, warnings []error, err error) {
	switch {
	case a.GetExpired():
		return nil, nil, errExpired
	case a.GetSizeInBytes() > maxArtifact:
		return nil, nil, errTooLarge
	}
	data, err := s.download(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	s.decodeMu.Lock()
	builds, warnings, err = file.Decode(ctx, a.GetName(), data)
	s.decodeMu.Unlock()
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if err != nil {
		builds, err = nil, fmt.Errorf("%w: %w", errNoRecord, err)
	}
	s.putCached(ctx, "artifacts", id, builds)
	return builds, warnings, err
}

// putCached puts builds into the cache, if there is one. It takes one thing at a time.
// One that fails costs requests, and no builds.
func (s *source) putCached(ctx context.Context, kind, id string, builds []timeline.Build) {
	if s.Cache == nil {
		return
	}
	s.cacheMu.Lock()
	defer s.cacheMu.Unlock()
	if err := s.Cache.Put(ctx, s.cacheSource(kind), id, builds); err != nil && s.cacheErr == nil {
		s.cacheErr = err
	}
}

// cached is what the cache holds under those of the ids.
func (s *source) cached(ctx context.Context, kind string, ids []string) (map[string]fetch.Cached, error) {
	if s.Cache == nil || len(ids) == 0 {
		return nil, nil
	}
	return s.Cache.Get(ctx, s.cacheSource(kind), ids)
}

// download gets what an artifact holds.
func (s *source) download(ctx context.Context, a *gh.Artifact) ([]byte, error) {
	const redirects = 3 // of a repository that was renamed
	address, resp, err := s.Client.Actions.DownloadArtifact(ctx, s.Owner, s.Name, a.GetID(), redirects)
	if resp != nil && resp.StatusCode == http.StatusGone {
		return nil, errExpired
	}
	if err != nil {
		return nil, s.wrapError(fmt.Sprintf("artifact %d", a.GetID()), resp, err)
	}
	const tries = 3
	for try := 1; ; try++ {
		data, err := s.get(ctx, address.String())
		if err == nil || ctx.Err() != nil || errors.Is(err, errTooLarge) || !errors.Is(err, io.ErrUnexpectedEOF) || try == tries {
			return data, err
		}
	}
}

// get gets what is at a signed address. One that takes for ever is not worth the
// time of all the others.
func (s *source) get(all context.Context, address string) ([]byte, error) {
	ctx, cancel := s.limitDownload(all)
	defer cancel()
	data, err := s.getWithin(ctx, address)
	if err != nil && ctx.Err() != nil && all.Err() == nil {
		return nil, fmt.Errorf("not there after %v", timeout)
	}
	return data, err
}

func (s *source) getWithin(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, withoutSignature(err)
	}
	resp, err := s.Download.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, withoutSignature(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusGone, resp.StatusCode == http.StatusNotFound:
		return nil, errExpired
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %d", r.URL.Host, resp.StatusCode)
	case resp.ContentLength > maxArtifact:
		return nil, errTooLarge
	}
	var data bytes.Buffer
	if _, err := data.ReadFrom(io.LimitReader(resp.Body, maxArtifact+1)); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s: %w", r.URL.Host, err)
	}
	if data.Len() > maxArtifact {
		return nil, errTooLarge
	}
	return data.Bytes(), nil
}

var (
	_ fetch.Source        = (*Records)(nil)
	_ fetch.HistorySource = (*Records)(nil)
)
