package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// clean makes text what every database holds: UTF-8 without a zero byte.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// instant is t as it is stored. A time that no build can have had counts as
// unknown, as its nanoseconds since 1970 would not fit.
func instant(t time.Time) int64 {
	if !fetch.Plausible(t) {
		return 0
	}
	return t.UnixNano()
}

// timeOf is the time that instant stored.
func timeOf(instant int64) (time.Time, error) {
	if instant == 0 {
		return time.Time{}, nil
	}
	t := time.Unix(0, instant).UTC()
	if !fetch.Plausible(t) {
		return t, fmt.Errorf("a time in the year %d", t.Year())
	}
	return t, nil
}

// list is a JSON array of texts, "" for an empty one.
func list(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	cleaned := make([]string, len(texts))
	for i, t := range texts {
		cleaned[i] = clean(t)
	}
	b, _ := json.Marshal(cleaned) // strings always marshal
	return string(b)
}

func listOf(text string) (texts []string, err error) {
	if text == "" {
		return nil, nil
	}
	return texts, json.Unmarshal([]byte(text), &texts)
}

const buildColumns = `b.id, b.ref, b.trace, b.content, p.name, l.repository, b.revision, l.branch, l.pull_request,
	b.url, b.runner, b.start, b.duration, b.resolution, b.outcome, b.error, b.log, b.partial, b.reader, b.target, CASE WHEN b.facts IS NULL THEN '' ELSE f.facts END, b.machine, b.step_count, b.sum, b.kept`

// What is referred to and not there makes a column NULL, which is told, and no row less.
const buildTables = ` FROM builds b LEFT JOIN pipelines p ON p.id = b.pipeline LEFT JOIN lines l ON l.id = b.line LEFT JOIN facts f ON f.id = b.facts `

// row is a build as the database has it, without its steps.
type row struct {
	id    int64
	steps int // how many there are, -1 if unknown
	kept  int // see prune.go
	timeline.Build
}

// queryBuilds reads the builds for which the condition holds.
func queryBuilds(ctx context.Context, tx *txn, condition string, args ...any) ([]row, error) {
	rows, err := tx.query(ctx, "SELECT "+buildColumns+buildTables+condition, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []row
	for rows.Next() {
		var r row
		var start, stored int64
		var log, facts, machine string
		b := &r.Build
		if err := rows.Scan(&r.id, &b.ID, &b.Trace, &b.Content, &b.Pipeline, &b.Repository, &b.Revision, &b.Branch, &b.PullRequest,
			&b.URL, &b.Runner, &start, &b.Duration, &b.Resolution, &b.Outcome, &b.Error, &log, &b.Partial, &b.Reader, &b.Target, &facts, &machine, &r.steps, &stored, &r.kept); err != nil {
			return nil, damaged(err)
		}
		if b.Start, err = timeOf(start); err != nil {
			return nil, damaged(err)
		}
		if b.Log, err = listOf(log); err != nil {
			return nil, damaged(err)
		}
		if err := readBuildFacts(b, facts, machine); err != nil {
			return nil, damaged(err)
		}
		if err := checkBuild(b); err != nil {
			return nil, damaged(err)
		}
		of := func(facts ...string) int64 { return buildSum(b, r.steps, facts...) }
		if err := checkSum(stored, "build "+b.ID, of, facts, machine); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

const stepColumns = `s.build, s.ordinal, s.sum, k.key, n.name, n.platform, n.stage, n.position, n.positions, n.source_file, n.source_line,
	s.id, s.state, s.start, s.duration, s.inputs, s.bytes, s.error, s.rule, s.body, CASE WHEN s.text IS NULL THEN '' ELSE t.text END,
	CASE WHEN s.facts IS NULL THEN '' ELSE sf.facts END, s.usage`

const stepTables = ` FROM steps s LEFT JOIN names n ON n.id = s.name LEFT JOIN keys k ON k.id = s.key LEFT JOIN texts t ON t.id = s.text LEFT JOIN facts sf ON sf.id = s.facts `

// A place is where a step stands: in which build, and as which of its steps.
type place struct {
	build   int64
	ordinal int
}

// scanStep reads stepColumns, behind the columns that the caller put in front.
func scanStep(rows *sql.Rows, at *place, front ...any) (s timeline.Step, err error) {
	var start, stored int64
	var inputs, facts, usage string
	if err := rows.Scan(append(front, &at.build, &at.ordinal, &stored, &s.Key, &s.Name, &s.Platform, &s.Stage, &s.Index, &s.Count, &s.Source.File, &s.Source.Line,
		&s.ID, &s.State, &start, &s.Duration, &inputs, &s.Bytes, &s.Error, &s.Rule, &s.Body, &s.Text, &facts, &usage)...); err != nil {
		return s, damaged(err)
	}
	if s.Start, err = timeOf(start); err != nil {
		return s, damaged(err)
	}
	if s.Inputs, err = listOf(inputs); err != nil {
		return s, damaged(err)
	}
	if err := readStepFacts(&s, facts, usage); err != nil {
		return s, damaged(err)
	}
	if err := checkStep(&s); err != nil {
		return s, damaged(err)
	}
	of := func(facts ...string) int64 { return stepSum(at.build, at.ordinal, &s, facts...) }
	return s, checkSum(stored, "step "+s.Key, of, facts, usage)
}

// readSteps reads the steps of a build.
func (r *row) readSteps(ctx context.Context, tx *txn) (err error) {
	if r.Steps, err = stepsOf(ctx, tx, r.id); err != nil {
		return err
	}
	return r.checkSteps()
}

// checkSteps tells whether all steps of a build were read.
func (r *row) checkSteps() error {
	if r.steps >= 0 && len(r.Steps) != r.steps {
		return damaged(fmt.Errorf("build %s: %d of its %d steps are there", r.ID, len(r.Steps), r.steps))
	}
	return nil
}

func stepsOf(ctx context.Context, tx *txn, build int64) ([]timeline.Step, error) {
	rows, err := tx.query(ctx, "SELECT "+stepColumns+stepTables+"WHERE s.build = ? ORDER BY s.ordinal", build)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []timeline.Step
	for rows.Next() {
		var at place
		s, err := scanStep(rows, &at)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// recordings finds the recordings of b, an equal id first.
func recordings(ctx context.Context, tx *txn, b *timeline.Build) ([]row, error) {
	found, err := queryBuilds(ctx, tx, "WHERE p.name = ? AND b.ref IN (?, ?)", clean(b.Pipeline), clean(b.ID), clean(b.NodeID()))
	found = slices.DeleteFunc(found, func(r row) bool { return !isSame(&r.Build, b) })
	if err != nil || b.Content == "" {
		return found, err
	}
	// fetch.Same decides; these are all that it could accept.
	near := int64(time.Second)
	start := instant(b.Start)
	more, err := queryBuilds(ctx, tx, `WHERE b.ref NOT IN (?, ?) AND b.id IN (
		SELECT id FROM builds WHERE content = ? AND start BETWEEN ? AND ?
		UNION SELECT id FROM builds WHERE trace = ? AND content = ? AND trace <> '') ORDER BY b.id`,
		clean(b.ID), clean(b.NodeID()), clean(b.Content), start-near, start+near, clean(b.Trace), clean(b.Content))
	for _, r := range more {
		if fetch.Same(&r.Build, b) {
			found = append(found, r)
		}
	}
	return found, err
}

// isSame tells of a build that is stored under the id of b, or its NodeID, whether it is b.
func isSame(stored, b *timeline.Build) bool {
	// What no database holds was cleaned.
	own := *b
	own.ID, own.Content, own.Pipeline = clean(b.ID), clean(b.Content), stored.Pipeline
	return fetch.Same(stored, &own)
}

// idFor is the id under which b is to be stored, which is not yet: its own, unless another
// node's build has that.
func idFor(ctx context.Context, tx *txn, b *timeline.Build) (string, error) {
	taken, err := queryBuilds(ctx, tx, "WHERE p.name = ? AND b.ref = ?", clean(b.Pipeline), clean(b.ID))
	if err != nil || len(taken) == 0 {
		return b.ID, err
	}
	return b.NodeID(), nil
}
