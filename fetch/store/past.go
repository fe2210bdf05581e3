package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A Past is the newest builds of a pipeline, whatever became of them. They are many: what they
// are is read at once, and their steps a few hundred builds at a time, between which others may
// write.
type Past struct {
	Builds []timeline.Build // newest first, without their steps, logs and facts
	ids    map[string]int64 // by Build.ID
	store  *Store
}

// Past is the newest builds of a pipeline, at most so many.
func (s *Store) Past(ctx context.Context, pipeline string, limit int) (*Past, error) {
	p := &Past{store: s}
	err := s.read(ctx, func(tx *txn) error {
		found, err := queryBuilds(ctx, tx, "WHERE p.name = ? AND b.kept <> 1 ORDER BY b.start DESC, b.ref DESC LIMIT ?", clean(pipeline), limit)
		if err != nil {
			return err
		}
		p.Builds, p.ids = make([]timeline.Build, len(found)), make(map[string]int64, len(found))
		for i := range found {
			b := &found[i]
			b.Log, b.Facts, b.Machine = nil, nil, nil
			p.Builds[i], p.ids[b.ID] = b.Build, b.id
		}
		return nil
	})
	return p, err
}

var manyBuilds = "WHERE b.id IN (?" + strings.Repeat(", ?", atOnce-1) + ")"

// Whole reads some of the builds with all that belongs to them, and hands them on in this order,
// in lists of some hundreds at most.
func (p *Past) Whole(ctx context.Context, builds []timeline.Build, each func([]timeline.Build) error) error {
	steps := newManyReader(nil)
	for len(builds) > 0 {
		n := min(atOnce, len(builds))
		var list []timeline.Build
		err := p.store.read(ctx, func(tx *txn) (err error) {
			steps.tx = tx
			list, err = p.whole(ctx, tx, steps, builds[:n])
			return err
		})
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

func (p *Past) whole(ctx context.Context, tx *txn, steps *manyReader, builds []timeline.Build) ([]timeline.Build, error) {
	args := make([]any, atOnce)
	for i := range args {
		args[i] = p.ids[builds[min(i, len(builds)-1)].ID]
	}
	rows, err := queryBuilds(ctx, tx, manyBuilds, args...)
	if err != nil {
		return nil, err
	}
	if err := steps.read(ctx, rows); err != nil {
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
			return nil, fmt.Errorf("build %s was taken away while it was read", builds[i].ID)
		}
		list[i] = b.Build
	}
	return list, nil
}
