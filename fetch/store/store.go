// Package store keeps builds in a SQL database and finds what a new build is judged
// against. It is the only place that speaks database/sql.
//
// A database is a SQLite file or a schema of a PostgreSQL server. What differs between
// them is in database.go, sqlite.go and postgres.go; the tables are the same.
package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/buildregress/buildregress/fetch"
)

// What can be wrong with a store, beside what a disk or a server does. It was not
// changed.
var (
	ErrDamaged = fetch.ErrorWithHint("the store is damaged",
		"move that file away: the next build begins a new history; a copy kept by CI may still be sound")
	ErrForeign = fetch.ErrorWithHint("the file is no store of buildregress",
		"name another file with --store sqlite:PATH")
	ErrNewer = fetch.ErrorWithHint("the store was made by a newer buildregress",
		"update this buildregress, or name another store with --store")
	ErrWrite = fetch.ErrorWithHint("the store cannot be written",
		"--store sqlite:PATH names another place, and --record never keeps no history")
	ErrLocked = fetch.ErrorWithHint("the store is locked: another process has been writing all the time",
		"one that hangs keeps it locked until it ends; the same command may then be run again")
)

// Access is what is done with a store.
type Access int

const (
	Write    Access = iota // builds are added, and the schema is brought up to date
	ReadOnly               // nothing is changed, not even the schema
)

// Options are how a store is opened. The zero value is ready to use.
type Options struct {
	Access Access
	// Waiting is told what is waited for, and a hint, if it takes long; nil for nobody.
	Waiting func(what, hint string)
	// Patience is how long that is, 0 for the usual.
	Patience time.Duration
}

// usualPatience is how long nobody wonders.
const usualPatience = 2 * time.Second

// maxWait is how long a process waits for others that write. Writing some hundreds of
// builds takes a second or so; a shared disk or a busy server may hold it up.
const maxWait = time.Minute

// A Store holds the builds that were recorded in it. It may be used by several
// goroutines, and its database by several processes.
type Store struct {
	database database
	options  Options
	db       *sql.DB // nil until there is something in it
}

// Open opens the store at an address, "sqlite:PATH" or "postgres://HOST/DATABASE". Where
// there is none, the store is empty, and the first Record makes it.
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	database, err := databaseOf(address)
	if err != nil {
		return nil, err
	}
	s := &Store{database: database, options: o}
	err = s.patiently(func() (err error) {
		s.db, err = database.open(ctx, o.Access)
		return err
	})
	return s, s.explain(err)
}

// Name is its address as it is shown: without what is secret in it.
func (s *Store) Name() string { return s.database.name() }

// Close ends the use of the store.
func (s *Store) Close() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// read runs f in a transaction that sees one moment. Where there is nothing yet, it does
// not.
func (s *Store) read(ctx context.Context, f func(*txn) error) error {
	if s.db == nil {
		return nil
	}
	return s.transact(ctx, false, f)
}

// write runs f in a transaction that lasts only if f returns no error, in a database that
// is made if there is none.
func (s *Store) write(ctx context.Context, f func(*txn) error) error {
	if s.options.Access == ReadOnly {
		return s.explain(ErrWrite)
	}
	if s.db == nil {
		if err := s.patiently(func() (err error) {
			s.db, err = s.database.create(ctx)
			return err
		}); err != nil {
			return s.explain(err)
		}
	}
	return s.transact(ctx, true, f)
}

func (s *Store) transact(ctx context.Context, writing bool, f func(*txn) error) error {
	lasting, end := outlasting(ctx, commitTime)
	defer end()
	var tx *sql.Tx
	if err := s.patiently(func() (err error) {
		tx, err = s.database.begin(lasting, s.db, writing)
		return err
	}); err != nil {
		return s.explain(err)
	}
	defer tx.Rollback() // without effect after Commit
	if err := f(&txn{tx, s.database.statement, map[string]*sql.Stmt{}, map[string]int64{}}); err != nil {
		return s.explain(err)
	}
	return s.explain(tx.Commit())
}

// commitTime is how long a transaction may go on to end after its context did: of one that is
// broken off while it is committed, nobody knows whether it was.
const commitTime = 300 * time.Millisecond

// outlasting is a context that ends that much later than ctx, or with end.
func outlasting(ctx context.Context, by time.Duration) (lasting context.Context, end func()) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return lasting, func() { stop(); cancel() }
}

// patiently runs what may have to wait for others, and tells if it does.
func (s *Store) patiently(f func() error) error {
	if s.options.Waiting == nil {
		return f()
	}
	patience := s.options.Patience
	if patience == 0 {
		patience = usualPatience
	}
	timer := time.AfterFunc(patience, func() { s.options.Waiting(s.database.waitingFor()) })
	defer timer.Stop()
	return f()
}

// explain says which store err is about, and what the words of its database mean.
func (s *Store) explain(err error) error {
	if err == nil {
		return nil
	}
	return s.database.explain(err)
}
