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
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/buildregress/buildregress/fetch"
)

// What can be wrong with a store, beside what the disk does. The file was not
// changed.
var (
	ErrDamaged = fetch.ErrorWithHint("the store is damaged",
		"move that file away: the next build begins a new history; a copy kept by CI may still be sound")
	ErrForeign = fetch.ErrorWithHint("the file is no store of buildregress",
		"name another file with --store sqlite:PATH")
	ErrNewer = fetch.ErrorWithHint("the store was made by a newer buildregress",
		"update this buildregress, or name another file with --store sqlite:PATH")
	ErrWrite = fetch.ErrorWithHint("the store cannot be written",
		"--store sqlite:PATH names another place, and --record never keeps no history")
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

// Is tells whether url is written as that of a store.
func Is(url string) bool { return strings.HasPrefix(url, scheme) }

// PathOf is the path of the file that url names, "" if it names none.
func PathOf(url string) string {
	path, _ := strings.CutPrefix(url, scheme)
	return path
}

const scheme = "sqlite:"

// Default is the store that is used if none is named. Its folder is made for
// it alone.
const Default = scheme + ".buildregress/history.db"

// Open opens the store at url, "sqlite:PATH". Where there is no such file, the
// store is empty, and the first Record makes file and folder.
func Open(ctx context.Context, url string) (*Store, error) {
	path := PathOf(url)
	if !Is(url) || path == "" {
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

// create makes file and folder, and opens the database. Where it cannot be
// written, no empty file is left behind.
func (s *Store) create(ctx context.Context) error {
	made, err := s.makeFile()
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok { // which names what wrap names
			err = p.Err
		}
		return s.wrap(unwritable(err))
	}
	err = s.connect(ctx)
	if made && errors.Is(err, ErrWrite) {
		if info, gone := os.Stat(s.path); gone == nil && info.Size() == 0 {
			_ = os.Remove(s.path)
		}
	}
	return err
}

// makeFile makes an empty file where there is none, and tells whether it did.
func (s *Store) makeFile() (made bool, err error) {
	dir := filepath.Dir(s.path)
	_, err = os.Stat(dir)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return false, err
	}
	if isNew && s.path == PathOf(Default) {
		// A history is no source code. That git shows it is no reason to keep none.
		_ = os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*\n"), 0o666)
	}
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) { // by now, or as a link to what is not there
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// connect opens the database and brings it up to date.
func (s *Store) connect(ctx context.Context) error {
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
		_ = db.Close() // err is what matters
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
	if err := f(&txn{tx, map[string]*sql.Stmt{}, map[string]int64{}}); err != nil {
		return s.wrap(err)
	}
	return s.wrap(tx.Commit())
}

// wrap says which file err is about, and what SQLite's words for it mean.
func (s *Store) wrap(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
			sqlite3.SQLITE_ERROR: // of our statements: a table or a column is missing
			err = damaged(err)
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PERM:
			err = unwritable(err)
		}
	}
	return fmt.Errorf("%s: %w", s.path, err)
}

// unwritable says of an error that the place of the store is to blame.
func unwritable(err error) error { return fmt.Errorf("%w: %w", ErrWrite, err) }
