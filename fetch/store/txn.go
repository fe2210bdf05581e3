package store

import (
	"context"
	"database/sql"
)

// A querier is a database, or a transaction in it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A txn is a transaction that prepares each statement once: preparing costs as
// much as running one. The end of the transaction closes them.
type txn struct {
	tx        *sql.Tx
	statement func(query string) string // see database
	prepared  map[string]*sql.Stmt
	// entries are the ids of rows of dictionaries that were asked for: builds of one
	// transaction mostly have the same steps.
	entries map[string]int64
}

func (t *txn) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := t.prepared[query]; ok {
		return s, nil
	}
	s, err := t.tx.PrepareContext(ctx, t.statement(query))
	if err == nil {
		t.prepared[query] = s
	}
	return s, err
}

func (t *txn) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := t.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (t *txn) exec(ctx context.Context, query string, args ...any) error {
	s, err := t.prepare(ctx, query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx, args...)
	return err
}

// id runs a query for one id.
func (t *txn) id(ctx context.Context, query string, args ...any) (id int64, err error) {
	s, err := t.prepare(ctx, query)
	if err != nil {
		return 0, err
	}
	err = s.QueryRowContext(ctx, args...).Scan(&id)
	return id, err
}
