package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// An index is the fetch.Index of one query, in one transaction. Branches are rows of
// the table lines.
type index struct {
	ctx      context.Context
	tx       *txn
	q        fetch.Query
	pipeline int64
	base     []int64 // branches that are the base: mostly one, more where builds say less than others
	self     []int64 // recordings of the query's build
}

// A candidate is a build as far as the database's indexes know it.
type candidate struct {
	id, branch, start int64
	ref, runner       string
}

// newIndex returns nil where the store holds no build of the query's pipeline.
func newIndex(ctx context.Context, tx *txn, q fetch.Query) (*index, error) {
	x := &index{ctx: ctx, tx: tx, q: q}
	var err error
	x.pipeline, err = tx.id(ctx, "SELECT id FROM pipelines WHERE name = ?", clean(q.Build.Pipeline))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	same, err := recordings(ctx, tx, q.Build)
	if err != nil {
		return nil, err
	}
	for _, s := range same {
		x.self = append(x.self, s.id)
	}
	x.base, err = x.baseBranches()
	return x, err
}

// baseBranches are those of which fetch.Query.IsBase tells that they are the base.
func (x *index) baseBranches() (ids []int64, err error) {
	rows, err := x.tx.query(x.ctx, "SELECT id, branch, pull_request, repository FROM lines WHERE pipeline = ? AND branch IN (?, '') AND pull_request = ''",
		x.pipeline, clean(x.q.BaseBranch))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var b timeline.Build
		if err := rows.Scan(&id, &b.Branch, &b.PullRequest, &b.Repository); err != nil {
			return nil, err
		}
		if x.q.IsBase(&b) {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}

const newestOfBranch = `SELECT id, line, start, ref, runner FROM builds
	WHERE line = ? AND outcome = 0 AND kept <> 1 AND start < ? ORDER BY start DESC, ref DESC LIMIT ?`

const newestOfPipeline = `SELECT id, line, start, ref, runner FROM builds
	WHERE pipeline = ? AND outcome = 0 AND kept <> 1 AND start < ? ORDER BY start DESC, ref DESC LIMIT ?`

// Base asks for each branch by itself: its index then gives the builds in order, and
// no more are read.
func (x *index) Base(limit int) (out []candidate, err error) {
	for _, branch := range x.base {
		found, err := x.newest(newestOfBranch, branch, limit)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.SortFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.start, a.start), cmp.Compare(b.ref, a.ref))
	})
	return out[:min(len(out), limit)], nil
}

func (x *index) Own(limit int) ([]candidate, error) {
	b := x.q.Build
	branch, err := x.tx.id(x.ctx, "SELECT id FROM lines WHERE pipeline = ? AND branch = ? AND pull_request = ? AND repository = ?",
		x.pipeline, clean(b.Branch), clean(b.PullRequest), clean(b.Repository))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return x.newest(newestOfBranch, branch, limit)
}

func (x *index) Recent(limit int) ([]candidate, error) {
	return x.newest(newestOfPipeline, x.pipeline, limit)
}

// newest runs a query for the newest candidates of a branch or a pipeline.
func (x *index) newest(query string, of int64, limit int) (out []candidate, err error) {
	rows, err := x.tx.query(x.ctx, query, of, instant(x.q.Build.Start), limit+len(x.self))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() && len(out) < limit {
		var c candidate
		if err := rows.Scan(&c.id, &c.branch, &c.start, &c.ref, &c.runner); err != nil {
			return nil, err
		}
		if !slices.Contains(x.self, c.id) {
			out = append(out, c)
		}
	}
	return out, rows.Err()
}

func (x *index) IsBase(c candidate) bool { return slices.Contains(x.base, c.branch) }

func (*index) BranchOf(c candidate) int64 { return c.branch }

func (*index) RunnerOf(c candidate) string { return c.runner }

func (*index) StartedBefore(c candidate, t time.Time) bool { return c.start < instant(t) }

func (x *index) Read(candidates []candidate) ([]timeline.Build, error) {
	return x.read(candidates, (*row).readSteps)
}

func (x *index) ReadBare(candidates []candidate) ([]timeline.Build, error) {
	return x.read(candidates, func(*row, context.Context, *txn) error { return nil })
}

// read reads the builds of candidates, in their order, and what more does to each.
func (x *index) read(candidates []candidate, more func(*row, context.Context, *txn) error) (out []timeline.Build, err error) {
	for _, c := range candidates {
		found, err := queryBuilds(x.ctx, x.tx, "WHERE b.id = ?", c.id)
		if err != nil {
			return nil, err
		}
		if len(found) != 1 { // an index knows it, and the table does not
			return nil, damaged(fmt.Errorf("build %s is not there", c.ref))
		}
		if b := &found[0]; clean(b.ID) != c.ref || instant(b.Start) != c.start || clean(b.Runner) != c.runner {
			return nil, damaged(fmt.Errorf("build %s is another one than its index says", c.ref))
		}
		if err := more(&found[0], x.ctx, x.tx); err != nil {
			return nil, err
		}
		out = append(out, found[0].Build)
	}
	return out, nil
}

const samplesOfStep = "SELECT s.sample_start, " + stepColumns + stepTables + `
	WHERE s.sample_line = ? AND s.key = (SELECT id FROM keys WHERE key = ?)
	AND s.sample_start BETWEEN ? AND ? ORDER BY s.sample_start DESC`

func (x *index) Samples(of []candidate, missing map[string]int) (out []fetch.Sample, err error) {
	indexes := make(map[int64]int, len(of))
	for i, c := range of {
		indexes[c.id] = i
	}
	for key, n := range missing {
		if clean(key) != key {
			continue // as no step is stored
		}
		for _, branch := range x.base {
			samples, err := x.samplesOf(branch, key, n, of, indexes)
			if err != nil {
				return nil, err
			}
			out = append(out, samples...)
		}
	}
	return out, nil
}

// samplesOf reads the newest samples of a step on a branch, out of n of the
// candidates and all that began together with the last of them. The index gives them
// in order, so the rest is never read.
func (x *index) samplesOf(branch int64, key string, n int, of []candidate, indexes map[int64]int) (out []fetch.Sample, err error) {
	rows, err := x.tx.query(x.ctx, samplesOfStep, branch, key, of[len(of)-1].start, of[0].start)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var start, last int64
	var at place
	builds := map[int64]bool{}
	var told timeline.Executions
	for rows.Next() {
		step, err := scanStep(rows, &at, &start)
		if err != nil {
			return nil, err
		}
		if len(builds) >= n && start < last {
			break
		}
		if i, wanted := indexes[at.build]; wanted {
			if !told.Repeat(&step) {
				builds[at.build], last = true, start
			}
			out = append(out, fetch.Sample{Build: i, Step: &step, Order: at.ordinal})
		}
	}
	return out, rows.Err()
}

const durationsOfStep = `SELECT build, sample_start, start, duration FROM steps
	WHERE sample_line = ? AND key = (SELECT id FROM keys WHERE key = ?) AND sample_start < ?
	ORDER BY sample_start DESC, start DESC, duration DESC LIMIT ?`

func (x *index) Durations(key string, limit int) ([]time.Duration, error) {
	if clean(key) != key {
		return nil, nil // as no step is stored
	}
	var found []execution
	for _, branch := range x.base {
		of, err := x.executionsOf(branch, key, limit)
		if err != nil {
			return nil, err
		}
		found = append(found, of...)
	}
	slices.SortFunc(found, func(a, b execution) int {
		return cmp.Or(cmp.Compare(b.build, a.build), cmp.Compare(b.start, a.start), cmp.Compare(b.duration, a.duration))
	})
	found = slices.CompactFunc(found[:min(len(found), limit)], func(a, b execution) bool {
		return a.start != 0 && a.start == b.start && a.duration == b.duration
	})
	var out []time.Duration
	for _, e := range found {
		out = append(out, time.Duration(e.duration))
	}
	return out, nil
}

// An execution is when a build and its step began, and how long the step took.
type execution struct{ build, start, duration int64 }

// executionsOf are the newest of a step on a branch, those of the query's build left out.
func (x *index) executionsOf(branch int64, key string, limit int) (found []execution, err error) {
	const most = 8 // equal steps of a build
	rows, err := x.tx.query(x.ctx, durationsOfStep, branch, key, instant(x.q.Build.Start), limit+most*len(x.self))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var build int64
		var e execution
		if err := rows.Scan(&build, &e.build, &e.start, &e.duration); err != nil {
			return nil, err
		}
		if !slices.Contains(x.self, build) {
			found = append(found, e)
		}
	}
	return found, rows.Err()
}
