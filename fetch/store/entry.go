package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A dictionary is a table of what many rows share: each of its rows has an id, and is there
// once. An index knows the first column.
type dictionary struct {
	table   string
	columns []string
}

var (
	pipelinesTable = dictionary{"pipelines", []string{"name"}}
	linesTable     = dictionary{"lines", []string{"pipeline", "branch", "pull_request", "repository"}}
	keysTable      = dictionary{"keys", []string{"key"}}
	namesTable     = dictionary{"names", []string{"key", "name", "platform", "stage", "position", "positions", "source_file", "source_line"}}
	textsTable     = dictionary{"texts", []string{"text"}}
	factsTable     = dictionary{"facts", []string{"facts"}}
)

// known is under what a transaction remembers the row that has these values.
func (d *dictionary) known(values []any) string {
	key := make([]byte, 0, 256)
	key = append(key, d.table...)
	for _, v := range values {
		var text string
		switch v := v.(type) {
		case string:
			text = v
		case int:
			text = strconv.Itoa(v)
		case int64:
			text = strconv.FormatInt(v, 10)
		default:
			text = fmt.Sprint(v)
		}
		// With its length before it, no two lists of values look the same.
		key = append(strconv.AppendInt(append(key, ' '), int64(len(text)), 10), ' ')
		key = append(key, text...)
	}
	return string(key)
}

// absent is what a transaction remembers of a row that is not there.
const absent = 0

// entry returns the id of the row that has these values, which it adds if needed.
func (d *dictionary) entry(ctx context.Context, tx *txn, values ...any) (id int64, err error) {
	known := d.known(values)
	id, looked := tx.entries[known]
	if looked && id != absent {
		return id, nil
	}
	if !looked {
		id, err = tx.id(ctx, "SELECT id FROM "+d.table+" WHERE "+strings.Join(d.columns, " = ? AND ")+" = ?", values...)
	}
	if looked || errors.Is(err, sql.ErrNoRows) {
		id, err = tx.id(ctx, "INSERT INTO "+d.table+" ("+strings.Join(d.columns, ", ")+") VALUES "+placeholders(1, len(d.columns))+" RETURNING id", values...)
	}
	if err == nil {
		tx.entries[known] = id
	}
	return id, err
}

// learn looks many rows up at once: entry then has to ask for none of them. A server may
// be far away.
func (d *dictionary) learn(ctx context.Context, tx *txn, rows [][]any) error {
	const most = 16
	var unknown []any // values of the first column
	for _, values := range rows {
		known := d.known(values)
		if _, looked := tx.entries[known]; !looked {
			tx.entries[known] = absent
			if !slices.Contains(unknown, values[0]) {
				unknown = append(unknown, values[0])
			}
		}
	}
	query := "SELECT id, " + strings.Join(d.columns, ", ") + " FROM " + d.table + " WHERE " + d.columns[0] + " IN " + placeholders(1, most)
	for part := range slices.Chunk(unknown, most) {
		for part = slices.Clip(part); len(part) < most; {
			part = append(part, part[0])
		}
		if err := d.remember(ctx, tx, query, part); err != nil {
			return err
		}
	}
	return nil
}

// remember remembers the rows that a query finds.
func (d *dictionary) remember(ctx context.Context, tx *txn, query string, args []any) error {
	rows, err := tx.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var id int64
	texts, values, to := make([]string, len(d.columns)), make([]any, len(d.columns)), []any{&id}
	for i := range texts {
		to = append(to, &texts[i])
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return damaged(err)
		}
		for i, t := range texts {
			values[i] = t
		}
		tx.entries[d.known(values)] = id
	}
	return rows.Err()
}

// placeholders are those of so many rows of so many values.
func placeholders(rows, values int) string {
	row := "(?" + strings.Repeat(",?", values-1) + ")"
	return row + strings.Repeat(","+row, rows-1)
}
