package buildx

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/file"
)

// All the records of a builder are read, the newest first and some at a time: what is
// read when time runs out is read, and no more of them is in memory than of one file.

const (
	// maxRecords of a builder are read. Buildx tells of the newest fifty of each node.
	maxRecords = 1000
	// together are exported with one command: each command takes some 80 ms, and ten
	// records of large builds some MiB.
	together = 10
)

// A listed record is one that the builder tells of.
type listed struct {
	Ref       string    `json:"ref"` // BUILDER/NODE/REF
	Created   time.Time `json:"created_at"`
	Completed time.Time `json:"completed_at"` // zero while the build is going on
}

// ref is the last part of its name.
func (r *listed) ref() string { return r.Ref[strings.LastIndex(r.Ref, "/")+1:] }

// all reads all records of builds that have ended, in order of their start. What could
// not be read of them is a problem.
func (s *Source) all(ctx context.Context) (builds []timeline.Build, problems []error, err error) {
	refs, shared, err := s.list(ctx)
	if err != nil {
		return nil, nil, err
	}
	if shared {
		if builds, problems, err = s.atOnce(ctx); err == nil || ctx.Err() != nil {
			return inOrder(builds), problems, err
		}
	}
	n, batches := len(refs), slices.Collect(slices.Chunk(refs, together))
	read, done := s.Progress("reading the builder's records", n)
	defer done()
	seen := 0
	for len(batches) > 0 {
		batch := batches[0]
		batches = batches[1:]
		found, warnings, err := export(ctx, RecordRef{Builder: s.ref.Builder, Refs: batch})
		switch {
		case ctx.Err() != nil && len(builds) > 0:
			return inOrder(builds), append(problems, &PartError{seen, n, ctx.Err()}), nil
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil && len(batch) > 1:
			// One of them may be gone by now, or all of them too much.
			batches = append([][]string{batch[:len(batch)/2], batch[len(batch)/2:]}, batches...)
			continue
		case err != nil && !errors.Is(err, ErrNoRecord):
			problems = append(problems, err)
		}
		builds, problems = append(builds, found...), append(problems, warnings...)
		for range batch {
			seen++
			read()
		}
	}
	if len(builds) == 0 {
		return nil, nil, cmp.Or(errors.Join(problems...), ErrNoRecord)
	}
	return inOrder(builds), problems, nil
}

// A PartError tells that time ran out before all records were read.
type PartError struct {
	Read, Of int // records
	Err      error
}

func (e *PartError) Error() string {
	return fmt.Sprintf("the time ran out after the newest %d of the builder's %d records: the others are left out", e.Read, e.Of)
}

func (e *PartError) Unwrap() error { return e.Err }

func inOrder(builds []timeline.Build) []timeline.Build {
	slices.SortStableFunc(builds, func(a, b timeline.Build) int { return a.Start.Compare(b.Start) })
	return builds
}

// atOnce reads all records with one command.
func (s *Source) atOnce(ctx context.Context) ([]timeline.Build, []error, error) {
	data, err := ask(ctx, s.ref.Builder, []string{"export", "--finalize", "--all"})
	if err != nil {
		return nil, nil, err
	}
	return file.Decode(ctx, "docker buildx history export", data)
}

// list are the refs of all builds that have ended, the newest first. shared tells that
// several nodes built one of them, each for another platform: by its ref Buildx exports
// but one of these records.
func (s *Source) list(ctx context.Context) (refs []string, shared bool, err error) {
	data, err := ask(ctx, s.ref.Builder, []string{"ls", "--no-trunc", "--format=json"})
	if err != nil {
		return nil, false, err
	}
	for _, r := range listedIn(data) {
		ref := r.ref()
		switch {
		case slices.Contains(refs, ref):
			shared = true
		case buildRef.MatchString(ref) && len(refs) < maxRecords:
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil, false, ErrNoRecord
	}
	return refs, shared, nil
}

// listedIn are the records in what docker buildx history ls writes whose builds have
// ended, the newest first.
func listedIn(data []byte) (records []listed) {
	for line := range bytes.Lines(data) {
		var r listed
		if boundjson.Unmarshal(line, &r) == nil && !r.Completed.IsZero() {
			records = append(records, r)
		}
	}
	slices.SortStableFunc(records, func(a, b listed) int { return b.Created.Compare(a.Created) })
	return records
}

// described reads the records that a metadata file names. Of a build that failed Buildx
// writes none: then there is no file, or that of a build before, and the newest record is
// the one.
func (s *Source) described(ctx context.Context) ([]timeline.Build, []error, error) {
	if len(s.ref.Refs) == 0 {
		builds, problems, err := export(ctx, RecordRef{Builder: s.ref.Builder})
		if err != nil {
			return nil, nil, err
		}
		why := " as Buildx writes none after a failed build"
		if builds[0].Outcome == timeline.OK {
			why = " and may not be the one that --metadata-file names"
		}
		taken := fmt.Errorf("%s is missing or empty,%s: the newest record was taken, of a build %s", redact.Text(s.ref.Metadata), why, ended(&builds[0]))
		return builds, append(problems, taken), nil
	}
	builds, problems, err := export(ctx, s.ref)
	if err != nil {
		return nil, nil, err
	}
	last, ok := s.newestAfter(ctx)
	if !ok {
		return builds, problems, nil
	}
	newer, _, err := export(ctx, RecordRef{Builder: s.ref.Builder, Refs: []string{last}})
	if err == nil && s.isLeftBy(builds, &newer[0]) {
		taken := fmt.Errorf("%s is of an earlier build, as Buildx writes none after a failed build: the newest record was taken, of a build %s", redact.Text(s.ref.Metadata), ended(&newer[0]))
		return newer, append(problems, taken), nil
	}
	return builds, problems, nil
}

// newestAfter is the ref of the newest record, if its build began after the metadata was
// written.
func (s *Source) newestAfter(ctx context.Context) (ref string, ok bool) {
	data, err := ask(ctx, s.ref.Builder, []string{"ls", "--no-trunc", "--format=json"})
	records := listedIn(data)
	if err != nil || len(records) == 0 || !records[0].Created.After(s.ref.Written) {
		return "", false
	}
	ref = records[0].ref()
	return ref, buildRef.MatchString(ref) && !slices.Contains(s.ref.Refs, ref)
}

// ended says how and when a build ended.
func ended(b *timeline.Build) string {
	how := map[timeline.Outcome]string{timeline.OK: "that succeeded", timeline.Failed: "that failed", timeline.Cancelled: "that was cancelled"}[b.Outcome]
	return how + " at " + b.Start.Add(b.Duration).UTC().Format(time.DateTime) + " UTC"
}

// isLeftBy tells whether the metadata of the builds was left over by the last one, which
// failed, and is of the same image and commit.
func (s *Source) isLeftBy(builds []timeline.Build, last *timeline.Build) bool {
	if last.Outcome == timeline.OK {
		return false
	}
	commit := func(revision string) string { return strings.TrimSuffix(revision, "-dirty") }
	return slices.ContainsFunc(builds, func(b timeline.Build) bool {
		sameCommit := commit(last.Revision) == commit(b.Revision) || last.Revision != "" && commit(last.Revision) == s.Revision
		return sameCommit && !fetch.Same(&b, last) && b.Pipeline == last.Pipeline && (b.Pipeline != "" || isBuiltLike(last, &b))
	})
}

// isBuiltLike tells whether at least half the instructions that a failed build came to
// stand where b has some. Its record does not say how they are written: variables are
// expanded in them, and keys differ.
func isBuiltLike(failed, b *timeline.Build) bool {
	type place struct {
		stage        string
		index, count int
	}
	places := map[place]bool{}
	for _, s := range b.Steps {
		places[place{s.Stage, s.Index, s.Count}] = true
	}
	all, same := 0, 0
	for _, s := range failed.Steps {
		if s.Count > 0 {
			all++
			if places[place{s.Stage, s.Index, s.Count}] {
				same++
			}
		}
	}
	return all > 0 && 2*same >= all
}
