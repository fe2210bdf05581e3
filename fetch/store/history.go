package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

// History finds what q's build is judged against, as fetch.Select defines it.
// What it reads depends on the window, not on how much the store holds.
func (s *Store) History(ctx context.Context, q fetch.Query) (*detect.History, error) {
	h := &detect.History{BaseBranch: q.BaseBranch}
	if s.db == nil {
		return h, nil
	}
	// One read-only transaction, so that all lists tell of one moment.
	return h, s.transact(ctx, &sql.TxOptions{ReadOnly: true}, func(tx *txn) error {
		r := reader{ctx: ctx, tx: tx, q: q}
		return r.read(h)
	})
}

// Pipelines are those of which the store holds builds, the most built first.
// It looks at all of them.
func (s *Store) Pipelines(ctx context.Context) (out []fetch.Pipeline, err error) {
	if s.db == nil {
		return nil, nil
	}
	err = s.transact(ctx, &sql.TxOptions{ReadOnly: true}, func(tx *txn) error {
		rows, err := tx.query(ctx, `SELECT p.name, COUNT(*) AS builds FROM pipelines p JOIN builds b ON b.pipeline = p.id
			GROUP BY p.id ORDER BY builds DESC, p.name`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p fetch.Pipeline
			if err := rows.Scan(&p.Name, &p.Builds); err != nil {
				return damaged(err)
			}
			out = append(out, p)
		}
		return rows.Err()
	})
	return out, err
}

// A reader answers one query.
type reader struct {
	ctx      context.Context
	tx       *txn
	q        fetch.Query
	pipeline int64
	self     []int64 // ids of recordings of the query's build
}

func (r *reader) read(h *detect.History) error {
	build := r.q.Build
	var err error
	r.pipeline, err = r.tx.id(r.ctx, "SELECT id FROM pipelines WHERE name = ?", clean(build.Pipeline))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	same, err := recordings(r.ctx, r.tx, build)
	if err != nil {
		return err
	}
	for _, s := range same {
		r.self = append(r.self, s.id)
	}

	base, err := r.baseLines()
	if err != nil {
		return err
	}
	own, err := r.ownLine()
	if err != nil {
		return err
	}
	if err := r.readBase(h, base); err != nil {
		return err
	}
	if err := r.readOther(h, append(slices.Clone(base), own...)); err != nil {
		return err
	}
	if r.q.IsBase(build) {
		return nil
	}
	found, err := r.newest(own, fetch.MaxBranch)
	if err != nil {
		return err
	}
	h.Branch, err = r.whole(found)
	return err
}

// baseLines are the lines of the base branch, see fetch.Query.IsBase. There is
// mostly one: more only where builds say less than others, or in forks if the
// base repository is unknown.
func (r *reader) baseLines() ([]int64, error) {
	return r.ids(`SELECT id FROM lines WHERE pipeline = ? AND branch IN (?, '') AND pull_request = ''
		AND (? = '' OR repository IN (?, ''))`,
		r.pipeline, clean(r.q.BaseBranch), clean(r.q.BaseRepository), clean(r.q.BaseRepository))
}

// ownLine is the line of the build, if it is known at all.
func (r *reader) ownLine() ([]int64, error) {
	b := r.q.Build
	return r.ids("SELECT id FROM lines WHERE pipeline = ? AND branch = ? AND pull_request = ? AND repository = ?",
		r.pipeline, clean(b.Branch), clean(b.PullRequest), clean(b.Repository))
}

func (r *reader) ids(query string, args ...any) (ids []int64, err error) {
	rows, err := r.tx.query(r.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// A place is a build as far as its index knows it.
type place struct {
	id, line, start int64
	ref, runner     string
}

// places runs a query for id, line, start, ref and runner, ordered newest first, and
// returns at most limit of what it finds, the query's own build left out.
func (r *reader) places(limit int, query string, args ...any) ([]place, error) {
	rows, err := r.tx.query(r.ctx, query, append(args, limit+len(r.self))...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []place
	for rows.Next() && len(out) < limit {
		var p place
		if err := rows.Scan(&p.id, &p.line, &p.start, &p.ref, &p.runner); err != nil {
			return nil, err
		}
		if !slices.Contains(r.self, p.id) {
			out = append(out, p)
		}
	}
	return out, rows.Err()
}

const newestOfLine = `SELECT id, line, start, ref, runner FROM builds
	WHERE line = ? AND outcome = 0 AND start < ? ORDER BY start DESC, ref DESC LIMIT ?`

const newestOfPipeline = `SELECT id, line, start, ref, runner FROM builds
	WHERE pipeline = ? AND outcome = 0 AND start < ? ORDER BY start DESC, ref DESC LIMIT ?`

// newest are the newest successful builds on the lines together. Each line is
// asked for itself: its index then gives them in order, and no more are read.
func (r *reader) newest(lines []int64, limit int) (out []place, err error) {
	for _, line := range lines {
		found, err := r.places(limit, newestOfLine, line, instant(r.q.Build.Start))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.SortFunc(out, newerFirst)
	return out[:min(len(out), limit)], nil
}

func newerFirst(a, b place) int {
	if a.start != b.start {
		if a.start > b.start {
			return -1
		}
		return 1
	}
	if a.ref > b.ref {
		return -1
	}
	return 1
}

// whole reads the builds with all their steps.
func (r *reader) whole(places []place) ([]detect.Build, error) {
	builds, err := r.bare(places)
	if err != nil {
		return nil, err
	}
	for i := range builds {
		if builds[i].Steps, err = stepsOf(r.ctx, r.tx, places[i].id); err != nil {
			return nil, err
		}
	}
	return builds, nil
}

// bare reads the builds without their steps.
func (r *reader) bare(places []place) ([]detect.Build, error) {
	var out []detect.Build
	for _, p := range places {
		found, err := queryBuilds(r.ctx, r.tx, "WHERE b.id = ?", p.id)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			out = append(out, f.Build)
		}
	}
	return out, nil
}

func (r *reader) readBase(h *detect.History, lines []int64) error {
	base, err := r.newest(lines, r.q.Window*fetch.SearchFactor)
	if err != nil {
		return err
	}
	base = fetch.OnSameRunner(&r.q, base, func(p place) string { return p.runner })
	whole := base[:min(len(base), r.q.Window)]
	if h.Base, err = r.whole(whole); err != nil {
		return err
	}
	h.Sparse, err = r.rare(h.Base, base[len(whole):], lines)
	return err
}

// readOther reads the newest build of each line that is not one of those.
func (r *reader) readOther(h *detect.History, lines []int64) error {
	recent, err := r.places(r.q.Window*fetch.SearchFactor, newestOfPipeline, r.pipeline, instant(r.q.Build.Start))
	if err != nil {
		return err
	}
	var found []place
	for _, p := range recent {
		if !slices.Contains(lines, p.line) && len(found) < r.q.Window {
			lines = append(lines, p.line)
			found = append(found, p)
		}
	}
	h.Other, err = r.whole(found)
	return err
}
