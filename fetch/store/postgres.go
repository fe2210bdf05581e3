package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/fetch"
)

// A postgres is a database that is a schema of a PostgreSQL server. The address, the
// environment (PGPASSWORD, PGSSLMODE and so on) and ~/.pgpass are read as its own programs
// read them.
type postgres struct {
	shown  string // the address, without who logs in and options
	schema string
	config *pgx.ConnConfig
}

// postgresSchema is the schema that is used if search_path in the address names no other.
const postgresSchema = "buildregress"

// connectTime is how long a server may take to answer, if the address does not say.
const connectTime = 15 * time.Second

func newPostgres(address string) (database, error) {
	u, err := url.Parse(address)
	if err != nil { // it quotes the address
		return nil, errAddress("it is no URL")
	}
	query := u.Query()
	if _, rest, _ := strings.Cut(address, ":"); !strings.HasPrefix(rest, "//") {
		return nil, errAddress("there is no // before its host")
	}
	if isSplit(u) {
		return nil, errAddress("there is an @ after its host, as if a password before it were not written with %XX")
	}
	database := strings.Trim(u.Path, "/")
	host := cmp.Or(u.Host, query.Get("host"))
	p := &postgres{shown: "postgres://" + host + "/" + database}
	own := []string{query.Get("user"), query.Get("password"), query.Get("sslpassword")}
	if u.User != nil {
		password, _ := u.User.Password()
		own = append(own, u.User.Username(), password)
	}
	redact.Own(own[1], own[2], own[len(own)-1])
	p.config, err = pgx.ParseConfig(u.String())
	if err == nil && !query.Has("sslmode") && goesInClear(p.config) {
		// What PostgreSQL's programs do, to go on without TLS where there is none, lets
		// anybody on the way read along.
		query.Set("sslmode", "verify-full")
		u.RawQuery = query.Encode()
		p.config, err = pgx.ParseConfig(u.String())
	}
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil { // the outer one quotes the address
			return nil, errAddress(without(inner.Error(), own))
		}
		return nil, errAddress("an option is wrong")
	}
	redact.Own(p.config.Password)
	if p.config.Database == "" {
		return nil, errAddress("it names no database")
	}
	if database == "" {
		p.shown += p.config.Database
	}
	p.schema = cmp.Or(p.config.RuntimeParams["search_path"], postgresSchema)
	delete(p.config.RuntimeParams, "search_path")
	if p.schema != postgresSchema {
		p.shown += "?search_path=" + p.schema
	}
	if p.config.RuntimeParams["application_name"] == "" {
		p.config.RuntimeParams["application_name"] = "buildregress"
	}
	if p.config.ConnectTimeout == 0 {
		p.config.ConnectTimeout = connectTime
	}
	return p, nil
}

// isSplit tells whether there is an @ behind what was read as the host. Then a password has a
// character in it that ends a host, and the parts of it are taken for something else.
func isSplit(u *url.URL) bool {
	for option := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(option, "=")
		if strings.Contains(option, "@") && name != "user" && name != "password" && name != "sslpassword" {
			return true
		}
	}
	return strings.Contains(u.EscapedPath(), "@") || strings.Contains(u.EscapedFragment(), "@")
}

// errAddress tells what is wrong with an address, which it does not show.
func errAddress(problem string) error {
	return fetch.ErrorWithHint("the address of the PostgreSQL store cannot be used: "+problem,
		"it is written postgres://HOST/DATABASE; PGUSER and PGPASSWORD or ~/.pgpass say who logs in, and in an address special characters are written %XX")
}

// goesInClear tells whether another machine is spoken to without TLS, if it has none, which
// is what is done where nothing is said.
func goesInClear(c *pgx.ConnConfig) bool {
	for _, f := range c.Fallbacks {
		if f.TLSConfig == nil && c.TLSConfig != nil && !isLocal(f.Host) {
			return true
		}
	}
	return false
}

// isLocal tells whether the way to a host stays on this machine.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasPrefix(host, "/") || ip != nil && ip.IsLoopback()
}

// without cuts values out of text.
func without(text string, values []string) string {
	for _, v := range values {
		if v != "" {
			text = strings.ReplaceAll(text, v, "*****")
		}
	}
	return text
}

func (p *postgres) name() string { return p.shown }

// statement numbers the arguments.
func (p *postgres) statement(query string) string {
	var out strings.Builder
	n, quoted := 0, false
	for _, r := range query {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == '?' && !quoted:
			n++
			out.WriteString("$" + strconv.Itoa(n))
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

// connect reaches the server. A process that is cut off from it while it writes keeps
// others waiting for no longer than they wait.
func (p *postgres) connect() *sql.DB {
	settings := fmt.Sprintf("SET search_path TO %s; SET lock_timeout TO %d; SET idle_in_transaction_session_timeout TO %d",
		pgx.Identifier{p.schema}.Sanitize(), maxWait.Milliseconds(), maxWait.Milliseconds())
	db := stdlib.OpenDB(*p.config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, settings, pgx.QueryExecModeSimpleProtocol)
		return err
	}))
	// One connection: nothing here runs in parallel, and a server has not many.
	db.SetMaxOpenConns(1)
	return db
}

func (p *postgres) open(ctx context.Context, access Access) (*sql.DB, error) {
	db := p.connect()
	version, err := p.version(ctx, db)
	switch {
	case err != nil || version == 0:
	case version < len(postgresMigrations) && access == ReadOnly:
		err = fmt.Errorf("%w: its schema is version %d, this one reads %d", errOlder, version, len(postgresMigrations))
	case version < len(postgresMigrations):
		err = p.migrate(ctx, db)
	}
	if err != nil || version == 0 {
		_ = db.Close() // err is what matters
		return nil, err
	}
	return db, nil
}

func (p *postgres) create(ctx context.Context) (*sql.DB, error) {
	db := p.connect()
	if err := p.migrate(ctx, db); err != nil {
		_ = db.Close() // err is what matters
		return nil, err
	}
	return db, nil
}

var errOlder = fetch.ErrorWithHint("the store was made by an older buildregress, and is only read here",
	"any command that names it with --store brings it up to date")

// version is that of the schema, 0 for none yet.
func (p *postgres) version(ctx context.Context, db querier) (version int, err error) {
	var exists, usable, ours bool
	err = db.QueryRowContext(ctx, `SELECT n.oid IS NOT NULL, COALESCE(has_schema_privilege(n.oid, 'USAGE'), TRUE), to_regclass('schema_version') IS NOT NULL
		FROM (VALUES (1)) one LEFT JOIN pg_namespace n ON n.nspname = $1`, p.schema).Scan(&exists, &usable, &ours)
	switch {
	case err != nil:
		return 0, err
	case exists && !usable:
		return 0, fmt.Errorf("the role may not use the schema %s", p.schema)
	case !ours:
		return 0, nil
	}
	if err = db.QueryRowContext(ctx, "SELECT version FROM schema_version").Scan(&version); err != nil {
		return 0, err
	}
	if version > len(postgresMigrations) {
		return 0, fmt.Errorf("%w: its schema is version %d, this one knows %d", ErrNewer, version, len(postgresMigrations))
	}
	return version, nil
}

// migrate brings the schema up to date. Of several processes that come at once, one does
// it and the others find it done.
func (p *postgres) migrate(ctx context.Context, db *sql.DB) error {
	tx, err := p.begin(ctx, db, true)
	if err != nil {
		return err
	}
	defer tx.Rollback() // without effect after Commit
	// Who may not make schemas may still use one that was made for it.
	var exists bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", p.schema).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		if _, err := tx.ExecContext(ctx, "CREATE SCHEMA "+pgx.Identifier{p.schema}.Sanitize()); err != nil {
			return err
		}
	}
	version, err := p.version(ctx, tx)
	if err != nil {
		return err
	}
	for _, m := range postgresMigrations[version:] {
		if _, err := tx.ExecContext(ctx, m, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE schema_version SET version = $1", len(postgresMigrations)); err != nil {
		return err
	}
	return tx.Commit()
}

// writers is the first half of the number of a lock; the second is the schema's.
const writers = applicationID

func (p *postgres) begin(ctx context.Context, db *sql.DB, writing bool) (*sql.Tx, error) {
	if !writing {
		return db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	// What is looked up before it is inserted is not inserted by another in between, and
	// nobody waits for rows of one who waits for theirs.
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1, hashtext($2))", writers, p.schema); err != nil {
		_ = tx.Rollback() // err is what matters
		return nil, err
	}
	return tx, nil
}

// reclaim has nothing to do: the server vacuums by itself.
func (p *postgres) reclaim(context.Context, *sql.DB) error { return nil }

func (p *postgres) waitingFor() (what, hint string) {
	return fmt.Sprintf("for %s, or another process that writes to it, %v at most", p.shown, maxWait),
		"pg_stat_activity shows who is connected as buildregress"
}

// Errors of servers, by what can be done about them.
var (
	errLogin = fetch.ErrorWithHint("the server refuses the login",
		"PGUSER and PGPASSWORD or ~/.pgpass say who logs in, and pg_hba.conf on the server who may")
	errGone = fetch.ErrorWithHint("the server went away",
		"what was recorded is kept; the same command goes on with the rest once the server is back")
	errUnreached = fetch.ErrorWithHint("the server cannot be reached",
		"is it HOST:PORT, and does it listen there?")
	errTLS = fetch.ErrorWithHint("no TLS connection that can be trusted",
		"sslrootcert=FILE in the address names who signed the certificate; sslmode=require does not look at it, and sslmode=disable sends all in clear")
	errPrivilege = fetch.ErrorWithHint("the role may not do that",
		"docs/sources.md has the grants that a role needs to write, and to read alone")
	errBusy    = fetch.ErrorWithHint("the server has no connection to spare", "max_connections says how many it has; each job takes one")
	errTooLong = fetch.ErrorWithHint("an id, a branch or the like is too long for an index of PostgreSQL", "it may have about 2,500 bytes")
	errBroken  = fetch.ErrorWithHint("the store is damaged", "drop its schema, or name another with ?search_path=NAME: the next build begins a new history")
)

// explain says which store err is about, and what the server's words for it mean. What
// names the user is not repeated.
func (p *postgres) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", p.shown, p.cause(err))
}

func (p *postgres) cause(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return p.causeOf(e)
	}
	if errors.Is(err, ErrDamaged) {
		return &caused{errBroken, p.hide(err), err}
	}
	connecting := false
	if e, ok := errors.AsType[*pgconn.ConnectError](err); ok { // which names the user
		err, connecting = e.Unwrap(), true
	}
	text := p.hide(err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded) && !connecting:
		return err
	case strings.Contains(text, "tls: ") || strings.Contains(text, "x509: ") || strings.Contains(text, "refused TLS"):
		return &caused{errTLS, text, err}
	case connecting:
		return &caused{errUnreached, text, err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), isNetwork(err), strings.Contains(text, "conn closed"), strings.Contains(text, "bad connection"):
		return &caused{errGone, text, err}
	}
	return err
}

func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}

// causeOf says what an answer of the server means.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func (p *postgres) causeOf(e *pgconn.PgError) error {
	text := fmt.Sprintf("%s (SQLSTATE %s)", p.hide(errors.New(e.Message)), e.Code)
	switch class := e.Code[:min(2, len(e.Code))]; {
	case class == "28":
		return &caused{errLogin, "", nil}
	case e.Code == "55P03":
		return &caused{ErrLocked, text, nil}
	case e.Code == "25006":
		return &caused{ErrWrite, text, nil}
	case e.Code == "42501":
		return &caused{errPrivilege, text, nil}
	case class == "53" && e.Code != "53300":
		return &caused{ErrWrite, text, nil} // its disk is full, or its memory
	case e.Code == "53300":
		return &caused{errBusy, text, nil}
	case e.Code == "54000":
		return &caused{errTooLong, text, nil}
	case class == "57" && e.Code != "57014", class == "08":
		return &caused{errGone, text, nil}
	case e.Code == "42P01", e.Code == "42703", class == "XX":
		return &caused{errBroken, text, ErrDamaged}
	}
	return errors.New(text)
}

// hide is the text of an error without who logs in.
func (p *postgres) hide(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	return without(text, []string{p.config.Password, strconv.Quote(p.config.User), "user=" + p.config.User})
}

// A caused error is one with what it means, and with what can be done about that.
type caused struct {
	meaning error
	text    string
	err     error // nil for none
}

func (c *caused) Error() string {
	if c.text == "" {
		return c.meaning.Error()
	}
	return c.meaning.Error() + ": " + c.text
}

func (c *caused) Unwrap() []error {
	if c.err == nil {
		return []error{c.meaning}
	}
	return []error{c.meaning, c.err}
}
