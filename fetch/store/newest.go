package store

import (
	"context"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Newest are the newest builds of a pipeline, whatever became of them, at most so
// many, newest first. It reads all their steps.
func (s *Store) Newest(ctx context.Context, pipeline string, limit int) (out []timeline.Build, err error) {
	err = s.read(ctx, func(tx *txn) error {
		found, err := queryBuilds(ctx, tx, "WHERE p.name = ? AND b.kept <> 1 ORDER BY b.start DESC, b.ref DESC LIMIT ?", clean(pipeline), limit)
		if err != nil {
			return err
		}
		if err := readManySteps(ctx, tx, found); err != nil {
			return err
		}
		out = make([]timeline.Build, len(found))
		for i := range found {
			out[i] = found[i].Build
		}
		return nil
	})
	return out, err
}
