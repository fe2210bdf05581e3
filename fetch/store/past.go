package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A Past is the newest builds of a pipeline at one moment, whatever became of them. They are
// many: what they are is read at once, and their steps a few hundred builds at a time.
type Past struct {
	Builds []timeline.Build // newest first, without their steps, logs and facts
	ids    map[string]int64 // by Build.ID
	tx     *txn
	steps  *manyReader
}

// Past hands do the newest builds of a pipeline, at most so many. It can be used until do
// returns.
func (s *Store) Past(ctx context.Context, pipeline string, limit int, do func(*Past) error) error {
	return s.read(ctx, func(tx *txn) error {
		found, err := queryBuilds(ctx, tx, "WHERE p.name = ? AND b.kept <> 1 ORDER BY b.start DESC, b.ref DESC LIMIT ?", clean(pipeline), limit)
		if err != nil {
			return err
		}
		p := &Past{Builds: make([]timeline.Build, len(found)), ids: make(map[string]int64, len(found)), tx: tx, steps: newManyReader(tx)}
		for i := range found {
			b := &found[i]
			b.Log, b.Facts, b.Machine = nil, nil, nil
			p.Builds[i], p.ids[b.ID] = b.Build, b.id
		}
		return do(p)
	})
}

var manyBuilds = "WHERE b.id IN (?" + strings.Repeat(", ?", atOnce-1) + ")"

// Whole reads some of the builds with all that belongs to them, and hands them on in this order,
// in lists of some hundreds at most.
func (p *Past) Whole(ctx context.Context, builds []timeline.Build, each func([]timeline.Build) error) error {
	for len(builds) > 0 {
		n := min(atOnce, len(builds))
		list, err := p.whole(ctx, builds[:n])
		if err == nil {
			err = each(list)
		}
		if err != nil {
			return err
		}
		builds = builds[n:]
	}
	return nil
}

func (p *Past) whole(ctx context.Context, builds []timeline.Build) ([]timeline.Build, error) {
	args := make([]any, atOnce)
	for i := range args {
		args[i] = p.ids[builds[min(i, len(builds)-1)].ID]
	}
	rows, err := queryBuilds(ctx, p.tx, manyBuilds, args...)
	if err != nil {
		return nil, err
	}
	if err := p.steps.read(ctx, rows); err != nil {
		return nil, err
	}
	of := make(map[string]*row, len(rows))
	for i := range rows {
		of[rows[i].ID] = &rows[i]
	}
	list := make([]timeline.Build, len(builds))
	for i := range builds {
		b := of[builds[i].ID]
		if b == nil {
			return nil, damaged(fmt.Errorf("build %s is there no longer", builds[i].ID))
		}
		list[i] = b.Build
	}
	return list, nil
}
