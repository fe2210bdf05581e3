package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
)

// How the builds of a branch are thinned: which stay whole as milestones, what is remembered
// of the others, and what is removed.

// milestones are the builds of a list of a branch at which a level of anything began or ended, and
// some around them at which one did.
func (p *pruner) milestones(ctx context.Context, branch *baseBranch, list []oldBuild) (ids []int64, err error) {
	var builds []timeline.Build
	of := map[string]int64{}
	err = p.s.read(ctx, func(tx *txn) error {
		all, err := p.around(ctx, tx, branch, list)
		if err != nil {
			return err
		}
		for _, id := range all {
			found, err := queryBuilds(ctx, tx, "WHERE b.id = ?", id)
			if err != nil || len(found) == 0 {
				return err
			}
			if err := found[0].readSteps(ctx, tx); err != nil {
				return err
			}
			builds = append(builds, found[0].Build)
			of[found[0].ID] = id
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c := course.Follow(builds, detect.DefaultThresholds)
	tracks := []*course.Track{&c.WallClock}
	for i := range c.Steps {
		tracks = append(tracks, &c.Steps[i].Track)
	}
	for _, t := range tracks {
		for _, s := range t.Shifts {
			ids = append(ids, of[c.Builds[s.Build].ID], of[c.Builds[s.After].ID])
		}
	}
	return ids, nil
}

// around are builds of a list, with some of those before and after them that are whole.
func (p *pruner) around(ctx context.Context, tx *txn, branch *baseBranch, list []oldBuild) (ids []int64, err error) {
	for _, b := range list {
		ids = append(ids, b.id)
	}
	find := func(query string, line, start int64) error {
		rows, err := tx.query(ctx, query, line, start, around)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return damaged(err)
			}
			ids = append(ids, id)
		}
		return rows.Err()
	}
	for _, line := range branch.lines {
		if err := find("SELECT id FROM builds WHERE line = ? AND outcome = 0 AND kept <> 1 AND start < ? ORDER BY start DESC LIMIT ?", line, list[0].start); err != nil {
			return nil, err
		}
		if err := find("SELECT id FROM builds WHERE line = ? AND outcome = 0 AND kept <> 1 AND start > ? ORDER BY start LIMIT ?", line, list[len(list)-1].start); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// thin thins builds of a base branch, oldest first, but for milestones: those given, and
// the first of each week, see pruner.weeks.
func (p *pruner) thin(ctx context.Context, list []oldBuild, milestones map[int64]bool, weeks map[int64]int64) error {
	for id := range milestones {
		if err := p.s.write(ctx, func(tx *txn) error {
			return tx.exec(ctx, "UPDATE builds SET kept = ? WHERE id = ? AND kept = 0", milestone, id)
		}); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(list, batch) {
		stays := make([]bool, len(part))
		var done Pruned
		for i, b := range part {
			if first, known := weeks[weekOf(b.start)]; !known || b.start < first {
				weeks[weekOf(b.start)] = b.start
				stays[i] = true
			}
			if stays[i] = stays[i] || milestones[b.id]; stays[i] {
				done.Milestones++
			} else {
				done.Thinned++
			}
		}
		err := p.s.write(ctx, func(tx *txn) error {
			for i, b := range part {
				var err error
				if stays[i] {
					err = tx.exec(ctx, "UPDATE builds SET kept = ? WHERE id = ?", milestone, b.id)
				} else {
					err = thin(ctx, tx, b.id)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.done.Add(done)
	}
	return nil
}

// thin leaves of a build how long its steps took.
func thin(ctx context.Context, tx *txn, id int64) error {
	found, err := queryBuilds(ctx, tx, "WHERE b.id = ?", id)
	if err != nil || len(found) == 0 {
		return err
	}
	b := &found[0].Build
	b.URL, b.Error, b.Log, b.Facts, b.Machine = "", "", nil, nil, nil
	if err := tx.exec(ctx, "UPDATE builds SET kept = ?, step_count = -1, url = '', error = '', log = '', facts = NULL, machine = '', sum = ? WHERE id = ?", tail, sumOfBuild(b, -1), id); err != nil {
		return err
	}
	return tx.exec(ctx, "DELETE FROM steps WHERE build = ? AND sample_line IS NULL", id)
}

// forget forgets what is left of thinned builds and not remembered any more: executions
// that have many newer ones, and those of steps that did not run since.
func (p *pruner) forget(ctx context.Context, branch *baseBranch) error {
	for _, line := range branch.lines {
		err := p.s.write(ctx, func(tx *txn) error {
			oldest, err := p.oldestKept(ctx, tx, line)
			if err != nil {
				return err
			}
			remembered, err := samplesByKey(ctx, tx, line)
			if err != nil {
				return err
			}
			for _, r := range remembered {
				until := r.newest // that of a step that is no more
				if r.newest >= oldest {
					until, err = tx.id(ctx, "SELECT sample_start FROM steps WHERE sample_line = ? AND key = ? ORDER BY sample_start DESC LIMIT 1 OFFSET ?", line, r.key, p.retention.keptExecutions())
				}
				if errors.Is(err, sql.ErrNoRows) {
					continue
				}
				if err != nil {
					return err
				}
				if err := tx.exec(ctx, "DELETE FROM steps WHERE sample_line = ? AND key = ? AND sample_start <= ? AND EXISTS (SELECT 1 FROM builds b WHERE b.id = steps.build AND b.kept = 1)", line, r.key, until); err != nil {
					return err
				}
			}
			empty, err := tx.id(ctx, "SELECT COUNT(*) FROM builds WHERE line = ? AND outcome = 0 AND kept = 1 AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.build = builds.id)", line)
			if err != nil {
				return err
			}
			p.done.Dropped += int(empty)
			p.done.Thinned = max(0, p.done.Thinned-int(empty))
			return tx.exec(ctx, "DELETE FROM builds WHERE line = ? AND outcome = 0 AND kept = 1 AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.build = builds.id)", line)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// oldestKept is since when a step has to have run to be remembered.
func (p *pruner) oldestKept(ctx context.Context, tx *txn, line int64) (int64, error) {
	oldest, err := tx.id(ctx, "SELECT start FROM builds WHERE line = ? AND outcome = 0 AND kept <> 1 ORDER BY start DESC LIMIT 1 OFFSET ?", line, p.retention.keptBuilds())
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return min(oldest, instant(p.retention.Before)), err
}

// A remembered is when a step ran last.
type remembered struct{ key, newest int64 }

func samplesByKey(ctx context.Context, tx *txn, line int64) (out []remembered, err error) {
	rows, err := tx.query(ctx, "SELECT key, MAX(sample_start) FROM steps WHERE sample_line = ? GROUP BY key", line)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r remembered
		if err := rows.Scan(&r.key, &r.newest); err != nil {
			return nil, damaged(err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// remove forgets a build.
func remove(ctx context.Context, tx *txn, id int64) error {
	if err := tx.exec(ctx, "DELETE FROM steps WHERE build = ?", id); err != nil {
		return err
	}
	return tx.exec(ctx, "DELETE FROM builds WHERE id = ?", id)
}
