package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// entry returns the id of the row of a dictionary that has these values, which
// it adds if needed. Table and columns are constants of this package.
func entry(ctx context.Context, tx *txn, table string, columns []string, values ...any) (id int64, err error) {
	known := fmt.Appendf([]byte(table), "%q", values)
	if id, ok := tx.entries[string(known)]; ok {
		return id, nil
	}
	defer func() {
		if err == nil {
			tx.entries[string(known)] = id
		}
	}()
	find := "SELECT id FROM " + table + " WHERE " + strings.Join(columns, " = ? AND ") + " = ?"
	id, err = tx.id(ctx, find, values...)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	add := "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ") RETURNING id"
	return tx.id(ctx, add, values...)
}
