package store

import (
	"context"
	"database/sql"

	"github.com/buildregress/buildregress/detect"
)

// Newest are the newest builds of a pipeline, whatever became of them, at most so
// many, newest first. It reads all their steps.
func (s *Store) Newest(ctx context.Context, pipeline string, limit int) (out []detect.Build, err error) {
	if s.db == nil {
		return nil, nil
	}
	err = s.transact(ctx, &sql.TxOptions{ReadOnly: true}, func(tx *txn) error {
		found, err := queryBuilds(ctx, tx, "WHERE p.name = ? ORDER BY b.start DESC, b.ref DESC LIMIT ?", clean(pipeline), limit)
		if err != nil {
			return err
		}
		if err := readManySteps(ctx, tx, found); err != nil {
			return err
		}
		out = make([]detect.Build, len(found))
		for i := range found {
			out[i] = found[i].Build
		}
		return nil
	})
	return out, err
}
