package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/buildregress/buildregress/detect/redact"
)

// A database is where builds are kept. It is what one kind of them does in another way
// than the others; all else is the same SQL for all.
type database interface {
	// name is its address as it is shown: without what is secret in it.
	name() string
	// open opens what is there, and brings it up to date unless it is only read. It is nil
	// where nothing is there yet, and nothing is made.
	open(ctx context.Context, access Access) (*sql.DB, error)
	// create makes what is not there yet, and opens it.
	create(ctx context.Context) (*sql.DB, error)
	// begin begins a transaction. One that only reads sees one moment; of those that
	// write there is one at a time, and the others wait.
	begin(ctx context.Context, db *sql.DB, writing bool) (*sql.Tx, error)
	// statement is a query with a question mark for each argument, as it wants it.
	statement(query string) string
	// explain says what the words of an error mean, nil of none.
	explain(err error) error
	// waitingFor says what holds up who waits, and who knows more.
	waitingFor() (what, hint string)
	// reclaim gives the room of what was deleted back, where that is not done by itself.
	reclaim(ctx context.Context, db *sql.DB) error
}

// kinds are the kinds of databases, by how their addresses begin.
var kinds = []struct {
	scheme string
	form   string // how an address is written
	parse  func(address string) (database, error)
}{
	{sqliteScheme, "sqlite:PATH", newSQLite},
	{"postgres:", "postgres://HOST/DATABASE", newPostgres},
	{"postgresql:", "", newPostgres},
}

// Is tells whether an address is written as that of a store.
func Is(address string) bool {
	for _, k := range kinds {
		if strings.HasPrefix(address, k.scheme) {
			return true
		}
	}
	return false
}

// databaseOf is the database that an address names.
func databaseOf(address string) (database, error) {
	var forms []string
	for _, k := range kinds {
		if strings.HasPrefix(address, k.scheme) {
			return k.parse(address)
		}
		if k.form != "" {
			forms = append(forms, k.form)
		}
	}
	return nil, fmt.Errorf("%q names no store: it is written %s", shownOf(address), strings.Join(forms, " or "))
}

// Check tells what is wrong with an address of a store, as far as reading it tells.
func Check(address string) error {
	_, err := databaseOf(address)
	return err
}

// Name is an address of a store as it is shown: without what is secret in it.
func Name(address string) string {
	if db, err := databaseOf(address); err == nil {
		return db.name()
	}
	return shownOf(address)
}

// shownOf is what may be shown of an address that cannot be used: nobody knows what is secret
// in it.
func shownOf(address string) string {
	shown := address
	if scheme, _, isURL := strings.Cut(address, ":"); isURL {
		shown = scheme + ":"
	}
	if strings.Contains(shown, "@") {
		return "…"
	}
	return redact.Text(shown)
}
