package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// applicationID marks a SQLite file as ours: "brgr".
const applicationID = 0x62726772

// migrations lead from an empty database to the present schema, one version
// each. They are never edited, only added to.
var migrations = []string{`
-- Times are nanoseconds since 1970, 0 if unknown; durations are nanoseconds;
-- outcomes and states are the numbers of detect.Outcome and detect.State.

CREATE TABLE pipelines (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
);

-- What the builds of a pipeline follow each other on, see fetch.Line.
CREATE TABLE lines (
	id           INTEGER PRIMARY KEY,
	pipeline     INTEGER NOT NULL REFERENCES pipelines,
	branch       TEXT NOT NULL,
	pull_request TEXT NOT NULL,
	repository   TEXT NOT NULL,
	UNIQUE (pipeline, branch, pull_request, repository)
);

CREATE TABLE builds (
	id         INTEGER PRIMARY KEY,
	ref        TEXT NOT NULL UNIQUE,
	trace      TEXT NOT NULL,
	content    TEXT NOT NULL,
	pipeline   INTEGER NOT NULL REFERENCES pipelines,
	line       INTEGER NOT NULL REFERENCES lines,
	revision   TEXT NOT NULL,
	url        TEXT NOT NULL,
	runner     TEXT NOT NULL,
	start      INTEGER NOT NULL,
	duration   INTEGER NOT NULL,
	resolution INTEGER NOT NULL,
	outcome    INTEGER NOT NULL,
	error      TEXT NOT NULL,
	log        TEXT NOT NULL, -- JSON array of strings, or ''
	partial    INTEGER NOT NULL
);
CREATE INDEX builds_of_pipeline ON builds (pipeline, outcome, start, ref, runner);
CREATE INDEX builds_of_line ON builds (line, outcome, start, ref, runner);
CREATE INDEX builds_of_content ON builds (content, start);
CREATE INDEX builds_of_trace ON builds (trace, content);

CREATE TABLE keys (
	id  INTEGER PRIMARY KEY,
	key TEXT NOT NULL UNIQUE
);

-- The ways in which a step has been written.
CREATE TABLE names (
	id          INTEGER PRIMARY KEY,
	key         INTEGER NOT NULL REFERENCES keys,
	name        TEXT NOT NULL,
	platform    TEXT NOT NULL,
	stage       TEXT NOT NULL,
	position    INTEGER NOT NULL,
	positions   INTEGER NOT NULL,
	source_file TEXT NOT NULL,
	source_line INTEGER NOT NULL,
	UNIQUE (key, name, platform, stage, position, positions, source_file, source_line)
);

CREATE TABLE steps (
	build    INTEGER NOT NULL REFERENCES builds,
	ordinal  INTEGER NOT NULL,
	name     INTEGER NOT NULL REFERENCES names,
	key      INTEGER NOT NULL REFERENCES keys,
	id       TEXT NOT NULL,
	state    INTEGER NOT NULL,
	start    INTEGER NOT NULL,
	duration INTEGER NOT NULL,
	inputs   TEXT NOT NULL, -- JSON array of ids, or ''
	bytes    INTEGER NOT NULL,
	error    TEXT NOT NULL,
	-- Of the build, and only where the step can be a sample: it was executed,
	-- and the build succeeded.
	sample_line  INTEGER,
	sample_start INTEGER,
	PRIMARY KEY (build, ordinal)
) WITHOUT ROWID;
CREATE INDEX samples ON steps (sample_line, key, sample_start) WHERE sample_line IS NOT NULL;
`, `
-- A ref is that of one build in a pipeline, no longer in all of them.
-- https://www.sqlite.org/lang_altertable.html#making_other_kinds_of_table_schema_changes
CREATE TABLE new_builds (
	id         INTEGER PRIMARY KEY,
	ref        TEXT NOT NULL,
	trace      TEXT NOT NULL,
	content    TEXT NOT NULL,
	pipeline   INTEGER NOT NULL REFERENCES pipelines,
	line       INTEGER NOT NULL REFERENCES lines,
	revision   TEXT NOT NULL,
	url        TEXT NOT NULL,
	runner     TEXT NOT NULL,
	start      INTEGER NOT NULL,
	duration   INTEGER NOT NULL,
	resolution INTEGER NOT NULL,
	outcome    INTEGER NOT NULL,
	error      TEXT NOT NULL,
	log        TEXT NOT NULL, -- JSON array of strings, or ''
	partial    INTEGER NOT NULL,
	UNIQUE (pipeline, ref)
);
INSERT INTO new_builds SELECT id, ref, trace, content, pipeline, line, revision, url, runner,
	start, duration, resolution, outcome, error, log, partial FROM builds;
DROP TABLE builds;
ALTER TABLE new_builds RENAME TO builds;
CREATE INDEX builds_of_pipeline ON builds (pipeline, outcome, start, ref, runner);
CREATE INDEX builds_of_line ON builds (line, outcome, start, ref, runner);
CREATE INDEX builds_of_content ON builds (content, start);
CREATE INDEX builds_of_trace ON builds (trace, content);
`, `
-- What was fetched from servers and never changes there. The builds are lines of a
-- builds file, deflated; '' is none.
CREATE TABLE shelf (
	id     INTEGER PRIMARY KEY,
	origin TEXT NOT NULL,
	ref    TEXT NOT NULL,
	builds BLOB NOT NULL,
	UNIQUE (origin, ref)
);

-- Questions to servers, and from when to when everything is kept that they find.
CREATE TABLE searches (
	id       INTEGER PRIMARY KEY,
	origin   TEXT NOT NULL,
	question TEXT NOT NULL,
	since    INTEGER NOT NULL,
	until    INTEGER NOT NULL,
	UNIQUE (origin, question)
);
CREATE TABLE found (
	search INTEGER NOT NULL REFERENCES searches,
	start  INTEGER NOT NULL,
	ref    TEXT NOT NULL,
	builds BLOB NOT NULL,
	PRIMARY KEY (search, start, ref)
) WITHOUT ROWID;
`, `
-- The detect.ReaderVersion by which builds were read, and with which the rule of a step
-- last changed. What was kept of servers by an older one is fetched again.
ALTER TABLE builds   ADD COLUMN reader INTEGER NOT NULL DEFAULT 0;
ALTER TABLE steps    ADD COLUMN rule   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE steps    ADD COLUMN body   TEXT NOT NULL DEFAULT '';
ALTER TABLE shelf    ADD COLUMN reader INTEGER NOT NULL DEFAULT 0;
ALTER TABLE searches ADD COLUMN reader INTEGER NOT NULL DEFAULT 0;
`, `
-- What authors wrote, see detect.Step.
CREATE TABLE texts (
	id   INTEGER PRIMARY KEY,
	text TEXT NOT NULL UNIQUE
);
ALTER TABLE steps ADD COLUMN text INTEGER REFERENCES texts;
`, `
-- Of a bake, whose steps may stand in the builds of its other targets.
ALTER TABLE builds ADD COLUMN target TEXT NOT NULL DEFAULT '';
`, `
-- What a step took is asked for by itself.
DROP INDEX samples;
CREATE INDEX samples ON steps (sample_line, key, sample_start, start, duration) WHERE sample_line IS NOT NULL;
`, `
-- What can explain how long builds and steps took, see detect.Facts: JSON, of which what
-- most builds share stands in a row of its own. NULL and '' are not known.
CREATE TABLE facts (
	id    INTEGER PRIMARY KEY,
	facts TEXT NOT NULL UNIQUE
);
ALTER TABLE builds ADD COLUMN facts   INTEGER REFERENCES facts;
ALTER TABLE builds ADD COLUMN machine TEXT NOT NULL DEFAULT '';
ALTER TABLE steps  ADD COLUMN facts   INTEGER REFERENCES facts;
ALTER TABLE steps  ADD COLUMN usage   TEXT NOT NULL DEFAULT '';
`, `
-- Checksums, see sum.go, 0 for none, and how many steps a build has, -1 if unknown.
ALTER TABLE builds ADD COLUMN step_count INTEGER NOT NULL DEFAULT -1;
ALTER TABLE builds ADD COLUMN sum        INTEGER NOT NULL DEFAULT 0;
ALTER TABLE steps  ADD COLUMN sum        INTEGER NOT NULL DEFAULT 0;
`}

// inspect looks at the file without SQLite, which might repair it, and tells
// whether there is a store in it. An empty file is none yet: SQLite makes one
// before it writes its first page, in one piece.
func inspect(path string) (exists bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
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
		return false, fmt.Errorf("%s: %w", path, err)
	case n < len(header), string(header[:16]) != "SQLite format 3\x00":
		return false, fmt.Errorf("%s: %w: it is no SQLite file", path, ErrForeign)
	}
	version := binary.BigEndian.Uint32(header[60:])
	switch id := binary.BigEndian.Uint32(header[68:]); {
	case id != applicationID:
		return false, fmt.Errorf("%s: %w: its application id is %#x, not %#x", path, ErrForeign, id, applicationID)
	case version == 0: // tables and version are made in one transaction
		return false, fmt.Errorf("%s: %w: its schema has no version", path, ErrDamaged)
	case version > uint32(len(migrations)):
		return false, fmt.Errorf("%s: %w: its schema is version %d, this one knows %d", path, ErrNewer, version, len(migrations))
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

func schemaVersion(ctx context.Context, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
},
) (version int, err error) {
	err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return version, err
}
