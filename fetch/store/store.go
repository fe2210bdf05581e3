// Package store keeps builds in a SQL database and finds what a new build is
// judged against. It is the only place that speaks database/sql.
//
// The database is one SQLite file. It keeps SQLite's rollback journal, not a
// write-ahead log: when no process has it open, everything is in the one file,
// which is what a CI cache saves.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can be wrong with a store, beside what the disk does. The file was not
// changed.
var (
	ErrDamaged = errors.New("the store is damaged")
	ErrForeign = errors.New("the file is no store of buildregress")
	ErrNewer   = errors.New("the store was made by a newer buildregress")
)

// busyTimeout is how long a process waits for another that writes. Writing one
// build takes milliseconds; a shared disk may hold it up.
const busyTimeout = "60000"

// A Store holds the builds that were recorded in it. It may be used by several
// goroutines, and its database by several processes.
type Store struct {
	path string
	db   *sql.DB // nil until there is a file
}

// Is tells whether url names a store.
func Is(url string) bool { return strings.HasPrefix(url, scheme) }

const scheme = "sqlite:"

// Open opens the store at url, "sqlite:PATH". Where there is no such file, the
// store is empty, and the first Record makes file and folder.
func Open(ctx context.Context, url string) (*Store, error) {
	path, ok := strings.CutPrefix(url, scheme)
	if !ok || path == "" {
		return nil, fmt.Errorf("%q names no store: it is written %sPATH", url, scheme)
	}
	s := &Store{path: path}
	exists, err := inspect(path)
	if err != nil || !exists {
		return s, err
	}
	return s, s.connect(ctx)
}

// Close ends the use of the store.
func (s *Store) Close() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// connect opens the database, making it if needed, and brings it up to date.
func (s *Store) connect(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o777); err != nil {
		return err
	}
	path, err := filepath.Abs(s.path)
	if err != nil {
		return err
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // C:/…
		path = "/" + path
	}
	db, err := sql.Open("sqlite", (&url.URL{
		Scheme:   "file",
		Path:     path,
		RawQuery: url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(" + busyTimeout + ")"}}.Encode(),
	}).String())
	if err != nil {
		return s.wrap(err)
	}
	// One connection: nothing here runs in parallel, and a second one would
	// only wait for the locks of the first.
	db.SetMaxOpenConns(1)
	if err := migrate(ctx, db); err != nil {
		db.Close()
		return s.wrap(err)
	}
	s.db = db
	return nil
}

// transact runs f in a transaction, which lasts only if f returns no error.
func (s *Store) transact(ctx context.Context, o *sql.TxOptions, f func(*txn) error) error {
	tx, err := s.db.BeginTx(ctx, o)
	if err != nil {
		return s.wrap(err)
	}
	defer tx.Rollback() // without effect after Commit
	if err := f(&txn{tx, map[string]*sql.Stmt{}}); err != nil {
		return s.wrap(err)
	}
	return s.wrap(tx.Commit())
}

// wrap says which file err is about, and what SQLite's words for it mean.
func (s *Store) wrap(err error) error {
	if err == nil {
		return nil
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return fmt.Errorf("%s: %w: %v", s.path, ErrDamaged, err)
		}
	}
	return fmt.Errorf("%s: %w", s.path, err)
}
