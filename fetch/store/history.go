package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

// History finds what q's build is judged against, see fetch.FindHistory. What it
// reads depends on the window, not on how much the store holds.
func (s *Store) History(ctx context.Context, q fetch.Query) (h *detect.History, err error) {
	h = &detect.History{BaseBranch: q.BaseBranch}
	// One read-only transaction, so that all lists tell of one moment.
	return h, s.read(ctx, func(tx *txn) error {
		x, err := newIndex(ctx, tx, q)
		if err == nil && x != nil {
			h, err = fetch.FindHistory(x, q)
		}
		return err
	})
}

// Knows tells whether the store holds builds of a pipeline, or held some.
func (s *Store) Knows(ctx context.Context, pipeline string) (known bool, err error) {
	return known, s.read(ctx, func(tx *txn) error {
		_, err := tx.id(ctx, "SELECT id FROM pipelines WHERE name = ?", clean(pipeline))
		known = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
}

// Pipelines are those of which the store holds builds, the most built first.
// It looks at all of them.
func (s *Store) Pipelines(ctx context.Context) (out []fetch.Pipeline, err error) {
	err = s.read(ctx, func(tx *txn) error {
		rows, err := tx.query(ctx, `SELECT p.name, COUNT(*) AS builds FROM pipelines p JOIN builds b ON b.pipeline = p.id WHERE b.kept <> 1
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
