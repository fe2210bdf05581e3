package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A sqliteFile is a database in one file. It keeps SQLite's rollback journal, not a
// write-ahead log: when no process has it open, everything is in the one file, which is
// what a CI cache saves.
type sqliteFile struct{ path string }

const sqliteScheme = "sqlite:"

// Default is the store that is used if none is named. Its folder is made for
// it alone.
const Default = sqliteScheme + ".buildregress/history.db"

// PathOf is the path of the file that an address names, "" if it names none.
func PathOf(address string) string {
	path, isFile := strings.CutPrefix(address, sqliteScheme)
	if !isFile {
		return ""
	}
	return path
}

func newSQLite(address string) (database, error) {
	path := PathOf(address)
	if path == "" {
		return nil, fmt.Errorf("%q names no store: it is written %sPATH", address, sqliteScheme)
	}
	return &sqliteFile{path}, nil
}

func (f *sqliteFile) name() string { return sqliteScheme + f.path }

func (f *sqliteFile) statement(query string) string { return query }

func (f *sqliteFile) open(ctx context.Context, access Access) (*sql.DB, error) {
	exists, err := inspect(f.path)
	if err != nil || !exists {
		return nil, err
	}
	return f.connect(ctx, access)
}

// create makes file and folder, and opens the database. Where it cannot be written, no
// empty file is left behind.
func (f *sqliteFile) create(ctx context.Context) (*sql.DB, error) {
	made, err := f.makeFile()
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok { // which names what explain names
			err = p.Err
		}
		return nil, unwritable(err)
	}
	db, err := f.connect(ctx, Write)
	if made && errors.Is(f.explain(err), ErrWrite) {
		if info, gone := os.Stat(f.path); gone == nil && info.Size() == 0 {
			_ = os.Remove(f.path)
		}
	}
	return db, err
}

// makeFile makes an empty file where there is none, and tells whether it did.
func (f *sqliteFile) makeFile() (made bool, err error) {
	dir := filepath.Dir(f.path)
	_, err = os.Stat(dir)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return false, err
	}
	if isNew && f.path == PathOf(Default) {
		// A history is no source code. That git shows it is no reason to keep none.
		_ = os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*\n"), 0o666)
	}
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) { // by now, or as a link to what is not there
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, file.Close()
}

// connect opens the database, and brings it up to date unless it is only read.
func (f *sqliteFile) connect(ctx context.Context, access Access) (*sql.DB, error) {
	path, err := filepath.Abs(f.path)
	if err != nil {
		return nil, err
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // C:/…
		path = "/" + path
	}
	options := url.Values{"_txlock": {"immediate"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", maxWait.Milliseconds())}}
	if access == ReadOnly {
		options.Set("mode", "ro")
		options.Add("_pragma", "temp_store(memory)")
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}).String())
	if err != nil {
		return nil, err
	}
	// One connection: nothing here runs in parallel, and a second one would
	// only wait for the locks of the first.
	db.SetMaxOpenConns(1)
	if access == ReadOnly {
		err = adapt(ctx, db)
	} else if err = f.checkPages(ctx, db); err == nil {
		if err = migrate(ctx, db); err == nil {
			// What would take back a part of a statement is small, and no file each time. Pages
			// that are needed again in one transaction are read and written once, in kB of them.
			_, err = db.ExecContext(ctx, "PRAGMA temp_store = memory; PRAGMA cache_size = -4000")
		}
	}
	if err != nil {
		_ = db.Close() // err is what matters
		return nil, err
	}
	return db, nil
}

// begin waits for the lock, which a transaction that only reads would take with its
// first query alone.
func (f *sqliteFile) begin(ctx context.Context, db *sql.DB, writing bool) (*sql.Tx, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: !writing})
	if err != nil || writing {
		return tx, err
	}
	if _, err := tx.ExecContext(ctx, "SELECT 1 FROM sqlite_schema LIMIT 1"); err != nil {
		_ = tx.Rollback() // err is what matters
		return nil, err
	}
	return tx, nil
}

// cheapCheck is up to which size a file is checked before it is written to: it takes some
// hundredths of a second.
const cheapCheck = 16 << 20

// checkPages looks for damage that no query may meet, before more is written around it.
func (f *sqliteFile) checkPages(ctx context.Context, db *sql.DB) error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if info.Size() > cheapCheck {
		return nil
	}
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return damaged(errors.New(strings.ReplaceAll(found, "\n", "; ")))
	}
	return nil
}

// reclaim makes the file smaller where much of it is free: the next builds fill what is
// free as well.
func (f *sqliteFile) reclaim(ctx context.Context, db *sql.DB) error {
	var pages, free int64
	if err := db.QueryRowContext(ctx, "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count").Scan(&pages, &free); err != nil {
		return err
	}
	if free*4 < pages {
		return nil
	}
	// The copy is no smaller than the store.
	_, err := db.ExecContext(ctx, "PRAGMA temp_store = file; VACUUM; PRAGMA temp_store = memory")
	return err
}

func (f *sqliteFile) waitingFor() (what, hint string) {
	return fmt.Sprintf("for another process that writes to %s, %v at most", f.path, maxWait),
		"one that hangs keeps the store locked until it ends"
}

// explain says which file err is about, and what SQLite's words for it mean.
func (f *sqliteFile) explain(err error) error {
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
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			err = fmt.Errorf("%w: %w", ErrLocked, err)
		}
	}
	return fmt.Errorf("%s: %w", f.path, err)
}

// unwritable says of an error that the place of the store is to blame.
func unwritable(err error) error { return fmt.Errorf("%w: %w", ErrWrite, err) }

// applicationID marks a SQLite file as ours: "brgr".
const applicationID = 0x62726772

// inspect looks at the file without SQLite, which might repair it, and tells
// whether there is a store in it. An empty file is none yet: SQLite makes one
// before it writes its first page, in one piece.
func inspect(path string) (exists bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok { // which names what explain names
		err = p.Err
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	// https://www.sqlite.org/fileformat.html#the_database_header
	var header [100]byte
	switch n, err := io.ReadFull(f, header[:]); {
	case err == io.EOF:
		return false, nil
	case err != nil && err != io.ErrUnexpectedEOF:
		return false, err
	case n < len(header), string(header[:16]) != "SQLite format 3\x00":
		return false, fmt.Errorf("%w: it is no SQLite file", ErrForeign)
	}
	version := binary.BigEndian.Uint32(header[60:])
	switch id := binary.BigEndian.Uint32(header[68:]); {
	case id != applicationID:
		return false, fmt.Errorf("%w: its application id is %#x, not %#x", ErrForeign, id, applicationID)
	case version == 0: // tables and version are made in one transaction
		return false, fmt.Errorf("%w: its schema has no version", ErrDamaged)
	case version > uint32(len(migrations)):
		return false, fmt.Errorf("%w: its schema is version %d, this one knows %d", ErrNewer, version, len(migrations))
	}
	return true, nil
}

// migrate brings the schema up to date. Of several processes that come at once,
// one does it and the others find it done.
func migrate(ctx context.Context, db *sql.DB) error {
	version, err := schemaVersion(ctx, db)
	if err != nil || version == len(migrations) {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // without effect after Commit
	if version, err = schemaVersion(ctx, tx); err != nil {
		return err
	}
	if version > len(migrations) {
		return ErrNewer
	}
	for _, m := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return err
		}
	}
	// A PRAGMA takes no parameters.
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(migrations))); err != nil {
		return err
	}
	return tx.Commit()
}

func schemaVersion(ctx context.Context, db querier) (version int, err error) {
	err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return version, err
}

// adapt lets a file of an older schema be read as one of the present one, without any
// change to it: what it lacks is made beside it, for this connection alone. Columns that
// came later hold what a migration gives old rows.
func adapt(ctx context.Context, db *sql.DB) error {
	version, err := schemaVersion(ctx, db)
	if err != nil || version == len(migrations) {
		return err
	}
	present, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	defer present.Close()
	present.SetMaxOpenConns(1)
	if err := migrate(ctx, present); err != nil {
		return err
	}
	wanted, err := tablesOf(ctx, present)
	if err != nil {
		return err
	}
	have, err := tablesOf(ctx, db)
	if err != nil {
		return err
	}
	for table, columns := range wanted {
		known := have[table]
		if len(known) == len(columns) {
			continue
		}
		selected := make([]string, 0, len(columns))
		for column, fallback := range columns {
			if _, ok := known[column]; !ok {
				column = fallback + " AS " + column
			}
			selected = append(selected, column)
		}
		made := "CREATE TEMP VIEW " + table + " AS SELECT " + strings.Join(selected, ", ")
		if known != nil {
			made += " FROM main." + table
		} else {
			made += " WHERE FALSE"
		}
		if _, err := db.ExecContext(ctx, made); err != nil {
			return err
		}
	}
	return nil
}

// tablesOf are the columns of each table, and what old rows have in them: an expression.
func tablesOf(ctx context.Context, db *sql.DB) (map[string]map[string]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT t.name, c.name, COALESCE(c.dflt_value, 'NULL')
		FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	tables := map[string]map[string]string{}
	for rows.Next() {
		var table, column, fallback string
		if err := rows.Scan(&table, &column, &fallback); err != nil {
			return nil, err
		}
		if tables[table] == nil {
			tables[table] = map[string]string{}
		}
		tables[table][column] = fallback
	}
	return tables, rows.Err()
}
