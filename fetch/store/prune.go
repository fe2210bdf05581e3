package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// What is left of a build when it is old.
const (
	//
	// 0 is all. tail is how long its steps took, of those that the judgement remembers, see
	// fetch.Index.Durations. It is no build any more that can be shown or compared.
	tail = 1
	// milestone is all, for good: it is the first of its week, or one at which a level
	// began or ended.
	milestone = 2
)

const (
	// spareExecutions is how many more executions of a step are remembered than a judgement
	// looks at: equal steps of one build are forgotten together.
	spareExecutions = 50
	// milestonesEvery is in how much time at least one build stays whole.
	milestonesEvery = 7 * 24 * time.Hour
	// followed is how many builds are searched for levels at once, and around how many
	// before and after them help to tell.
	followed, around = 1000, 100
)

// A Retention says which builds are old, and which stay nevertheless.
type Retention struct {
	Before time.Time // what began earlier is old
	// Base tells of the newest build of a pipeline which branch is its base, see
	// fetch.Query.IsBase.
	Base func(newest *timeline.Build) (branch, repository string)
	// Window is that of the judgements to come, see fetch.Query, and MinHistory how many
	// builds of a branch can be a baseline. They keep more than those of
	// detect.DefaultThresholds do, never less.
	Window, MinHistory int
	// Pipelines are those that are looked at, none for all.
	Pipelines []string
	// Enough is how many old builds of a pipeline are worth the work.
	Enough int
}

// keptBuilds is how many builds of a branch stay whole however old they are: as many as a
// judgement searches for those of one kind of machine. Of what is no base those stay that
// are among so many of all, as a window of branches is looked for in these.
func (r *Retention) keptBuilds() int { return r.Window * fetch.SearchFactor }

// keptExecutions is how many executions of a step are remembered.
func (r *Retention) keptExecutions() int { return r.Window + level.TailReach + spareExecutions }

// Pruned is what became of old builds.
type Pruned struct {
	Dropped    int // of no base branch, failed, or not remembered any more
	Thinned    int // to what the judgement remembers
	Milestones int // that stay whole
}

// Add adds what became of more.
func (p *Pruned) Add(more Pruned) {
	p.Dropped += more.Dropped
	p.Thinned += more.Thinned
	p.Milestones += more.Milestones
}

// Any tells whether anything was done.
func (p *Pruned) Any() bool { return *p != Pruned{} }

// Prune thins old builds to what the judgement and the history need of them: no build is
// judged otherwise after that, as long as what began earlier is older than its lookback.
// With an error, what was done of it stays done.
func (s *Store) Prune(ctx context.Context, r Retention) (done Pruned, err error) {
	if s.db == nil {
		return done, nil
	}
	usual := detect.DefaultThresholds
	r.Window = max(r.Window, usual.Window)
	r.MinHistory = min(cmp.Or(r.MinHistory, usual.MinHistory), usual.MinHistory)
	names := r.Pipelines
	if len(names) == 0 {
		pipelines, err := s.Pipelines(ctx)
		if err != nil {
			return done, err
		}
		for _, p := range pipelines {
			names = append(names, p.Name)
		}
	}
	for _, name := range names {
		p := pruner{s: s, retention: &r, name: clean(name)}
		err := p.run(ctx)
		done.Add(p.done)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// Tidy forgets what no build refers to any more, and makes the database smaller where that
// is worth it.
func (s *Store) Tidy(ctx context.Context) error {
	if s.db == nil {
		return nil
	}
	if err := s.write(ctx, func(tx *txn) error {
		for _, unused := range []string{
			"DELETE FROM names WHERE id IN (SELECT id FROM names EXCEPT SELECT name FROM steps)",
			"DELETE FROM keys WHERE id IN (SELECT id FROM keys EXCEPT SELECT key FROM steps EXCEPT SELECT key FROM names)",
			"DELETE FROM texts WHERE id IN (SELECT id FROM texts EXCEPT SELECT text FROM steps)",
			"DELETE FROM facts WHERE id IN (SELECT id FROM facts EXCEPT SELECT facts FROM steps EXCEPT SELECT facts FROM builds)",
		} {
			if err := tx.exec(ctx, unused); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return s.explain(s.database.reclaim(ctx, s.db))
}

// A pruner thins the builds of one pipeline.
type pruner struct {
	s         *Store
	retention *Retention
	name      string
	pipeline  int64
	base      []baseBranch
	done      Pruned
}

// A baseBranch is one that builds may be compared with.
type baseBranch struct {
	name  string  // "" for builds that say none
	lines []int64 // more than one where builds differ in what they say of the repository
	old   []oldBuild
}

// An oldBuild is one that is old, and whole.
type oldBuild struct {
	id, line, start int64
	outcome         timeline.Outcome
}

func (p *pruner) run(ctx context.Context) error {
	var old []oldBuild
	err := p.s.read(ctx, func(tx *txn) (err error) {
		if p.pipeline, err = tx.id(ctx, "SELECT id FROM pipelines WHERE name = ?", p.name); errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if old, err = p.findOld(ctx, tx); err != nil || len(old) < max(1, p.retention.Enough) {
			old = nil
			return err
		}
		if err = p.findBase(ctx, tx); err != nil {
			return err
		}
		if old, err = p.divide(ctx, tx, old); err != nil {
			return err
		}
		todo := len(old)
		for i := range p.base {
			todo += len(p.base[i].old)
		}
		if todo < p.retention.Enough { // the newest stay, however old they are
			old, p.base = nil, nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.drop(ctx, old); err != nil {
		return err
	}
	for i := range p.base {
		if err := p.thinBranch(ctx, &p.base[i]); err != nil {
			return err
		}
	}
	return nil
}

// thinBranch thins the old builds of a base branch.
func (p *pruner) thinBranch(ctx context.Context, branch *baseBranch) error {
	if len(branch.old) == 0 {
		return nil
	}
	weeks, err := p.weeks(ctx, branch)
	if err != nil {
		return err
	}
	milestones := map[int64]bool{}
	for part := range slices.Chunk(branch.old, followed) {
		ids, err := p.milestones(ctx, branch, part)
		if err != nil {
			return err
		}
		for _, id := range ids {
			milestones[id] = true
		}
	}
	if err := p.thin(ctx, branch.old, milestones, weeks); err != nil {
		return err
	}
	return p.forget(ctx, branch)
}

// weekOf is the week of a start.
func weekOf(start int64) int64 { return start / int64(milestonesEvery) }

// weeks are the weeks of which builds of a branch are milestones, and the start of the
// first of them in each.
func (p *pruner) weeks(ctx context.Context, branch *baseBranch) (map[int64]int64, error) {
	weeks := map[int64]int64{}
	return weeks, p.s.read(ctx, func(tx *txn) error {
		for _, line := range branch.lines {
			rows, err := tx.query(ctx, "SELECT start FROM builds WHERE line = ? AND outcome = 0 AND kept = ? ORDER BY start DESC", line, milestone)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var start int64
				if err := rows.Scan(&start); err != nil {
					return damaged(err)
				}
				if first, known := weeks[weekOf(start)]; !known || start < first {
					weeks[weekOf(start)] = start
				}
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
}

// findOld are the builds that are old and whole, oldest first: of one whose start is not
// known, nobody knows that it is old.
func (p *pruner) findOld(ctx context.Context, tx *txn) (old []oldBuild, err error) {
	rows, err := tx.query(ctx, "SELECT id, line, start, outcome FROM builds WHERE kept = 0 AND pipeline = ? AND start > 0 AND start < ? ORDER BY start, id", p.pipeline, instant(p.retention.Before))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var b oldBuild
		if err := rows.Scan(&b.id, &b.line, &b.start, &b.outcome); err != nil {
			return nil, damaged(err)
		}
		old = append(old, b)
	}
	return old, rows.Err()
}

// findBase finds the branches that builds may be compared with. Of a pull request, the CI
// system says one, and the next one is for another: each counts that holds enough for a
// baseline, or of which something was built lately. Where there is none, it is the branch
// of which most was built: nobody's history is dropped for a branch of another name.
func (p *pruner) findBase(ctx context.Context, tx *txn) error {
	newest, err := queryBuilds(ctx, tx, "WHERE b.pipeline = ? ORDER BY b.start DESC, b.ref DESC LIMIT 1", p.pipeline)
	if err != nil || len(newest) == 0 {
		return err
	}
	var q fetch.Query
	q.BaseBranch, q.BaseRepository = p.retention.Base(&newest[0].Build)
	rows, err := tx.query(ctx, `SELECT l.id, l.branch, l.repository, COUNT(CASE WHEN b.outcome = 0 AND b.kept <> 1 THEN 1 END), MAX(b.start)
		FROM lines l JOIN builds b ON b.line = l.id
		WHERE l.pipeline = ? AND l.pull_request = '' GROUP BY l.id, l.branch, l.repository ORDER BY COUNT(*) DESC, l.id`, p.pipeline)
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []baseBranch
	index, whole, isBase := map[string]int{}, map[string]int{}, map[string]bool{}
	for rows.Next() {
		var line, start int64
		var count int
		var b timeline.Build
		if err := rows.Scan(&line, &b.Branch, &b.Repository, &count, &start); err != nil {
			return damaged(err)
		}
		i, known := index[b.Branch]
		if !known {
			i = len(all)
			index[b.Branch] = i
			all = append(all, baseBranch{name: b.Branch})
		}
		all[i].lines = append(all[i].lines, line)
		whole[b.Branch] += count
		if b.Branch == "" || q.IsBase(&b) || whole[b.Branch] >= p.retention.MinHistory || start >= instant(p.retention.Before) {
			isBase[b.Branch] = true
		}
	}
	p.base = slices.DeleteFunc(slices.Clone(all), func(b baseBranch) bool { return !isBase[b.name] })
	if len(p.base) == 0 {
		p.base = all[:min(len(all), 1)]
	}
	return rows.Err()
}

// divide finds the old builds of base branches, without those that stay, and those that are
// not needed at all.
func (p *pruner) divide(ctx context.Context, tx *txn, old []oldBuild) (rest []oldBuild, err error) {
	kept := p.retention.keptBuilds()
	beside, err := newestIDs(ctx, tx, "SELECT id FROM builds WHERE pipeline = ? AND outcome = 0 AND kept <> 1 ORDER BY start DESC, ref DESC LIMIT ?", p.pipeline, kept)
	if err != nil {
		return nil, err
	}
	newest := map[int64]bool{}
	of := map[int64]*baseBranch{}
	for i := range p.base {
		for _, line := range p.base[i].lines {
			of[line] = &p.base[i]
			found, err := newestIDs(ctx, tx, "SELECT id FROM builds WHERE line = ? AND outcome = 0 AND kept <> 1 ORDER BY start DESC, ref DESC LIMIT ?", line, kept)
			if err != nil {
				return nil, err
			}
			maps.Copy(newest, found)
		}
	}
	for _, b := range old {
		branch := of[b.line]
		switch {
		case newest[b.id], branch == nil && beside[b.id]:
		case b.outcome == timeline.OK && branch != nil:
			branch.old = append(branch.old, b)
		default:
			rest = append(rest, b)
		}
	}
	return rest, nil
}

func newestIDs(ctx context.Context, tx *txn, query string, of int64, limit int) (map[int64]bool, error) {
	rows, err := tx.query(ctx, query, of, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int64]bool{}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, damaged(err)
		}
		found[id] = true
	}
	return found, rows.Err()
}

// drop forgets builds.
func (p *pruner) drop(ctx context.Context, list []oldBuild) error {
	for part := range slices.Chunk(list, batch) {
		err := p.s.write(ctx, func(tx *txn) error {
			for _, b := range part {
				if err := remove(ctx, tx, b.id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.done.Dropped += len(part)
	}
	return nil
}
