package store

// migrations lead from an empty SQLite file to the present schema, one version each.
// They are never edited, only added to, and with each postgresMigrations are as well.
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
`, `
-- What is left of old builds, see prune.go.
ALTER TABLE builds ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
DROP INDEX builds_of_line;
CREATE INDEX builds_of_line ON builds (line, outcome, start, ref, runner, kept);
CREATE INDEX builds_whole ON builds (pipeline, start) WHERE kept = 0;
`}
