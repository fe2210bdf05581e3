package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Steps of many builds are read by few queries, and what they share is read, and held,
// once: nearly all builds of a pipeline have the same steps.

// atOnce is how many builds' steps one query reads.
const atOnce = 200

// theMany are as many placeholders.
var theMany = "(?" + strings.Repeat(", ?", atOnce-1) + ")"

var manySteps = `SELECT s.build, s.ordinal, s.sum, s.name, s.key, s.text, s.facts, s.id, s.state, s.start, s.duration, s.inputs, s.bytes, s.error, s.rule, s.body, s.usage
	FROM steps s WHERE s.build IN ` + theMany + ` ORDER BY s.build, s.ordinal`

// A manyReader has what was read of what steps refer to, by its id.
type manyReader struct {
	tx     *txn
	names  map[int64]timeline.Step
	keys   map[int64]string
	texts  map[int64]string
	facts  map[int64]sharedFacts
	words  map[string]string
	inputs map[string][]string
}

// sharedFacts are facts of steps, and as they are stored.
type sharedFacts struct {
	text string
	*timeline.StepFacts
}

func newManyReader(tx *txn) *manyReader {
	return &manyReader{tx, map[int64]timeline.Step{}, map[int64]string{}, map[int64]string{}, map[int64]sharedFacts{}, map[string]string{}, map[string][]string{}}
}

// readManySteps reads the steps of builds.
func readManySteps(ctx context.Context, tx *txn, builds []row) error {
	r := newManyReader(tx)
	for len(builds) > 0 {
		n := min(atOnce, len(builds))
		if err := r.read(ctx, builds[:n]); err != nil {
			return err
		}
		builds = builds[n:]
	}
	return nil
}

// idsAtOnce are ids for theMany, the last one of too few again and again.
func idsAtOnce(ids []int64) []any {
	args := make([]any, atOnce)
	for i := range args {
		args[i] = ids[min(i, len(ids)-1)]
	}
	return args
}

// queryMany reads builds by their ids, those that are there, in order of their start.
func queryMany(ctx context.Context, tx *txn, ids []int64) (out []row, err error) {
	for part := range slices.Chunk(ids, atOnce) {
		found, err := queryBuilds(ctx, tx, "WHERE b.id IN "+theMany, idsAtOnce(part)...)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.SortStableFunc(out, func(a, b row) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.id, b.id)) })
	return out, nil
}

// A bareStep is a step, and what it refers to.
type bareStep struct {
	place
	stored      int64
	name, key   int64
	text, facts sql.NullInt64
	usage       string
	timeline.Step
}

func (r *manyReader) read(ctx context.Context, builds []row) error {
	of := map[int64]*row{}
	ids := make([]int64, len(builds))
	for i := range builds {
		ids[i], of[builds[i].id] = builds[i].id, &builds[i]
	}
	bare, err := r.bareSteps(ctx, idsAtOnce(ids))
	if err != nil {
		return err
	}
	// On some databases a connection answers one query at a time.
	for i := range bare {
		at := &bare[i]
		s, err := r.whole(ctx, at)
		if err != nil {
			return err
		}
		b := of[at.build]
		if b.Steps == nil {
			b.Steps = make([]timeline.Step, 0, min(max(b.steps, 1), len(bare)))
		}
		b.Steps = append(b.Steps, s)
	}
	for i := range builds {
		if err := builds[i].checkSteps(); err != nil {
			return err
		}
	}
	return nil
}

func (r *manyReader) bareSteps(ctx context.Context, args []any) (out []bareStep, err error) {
	rows, err := r.tx.query(ctx, manySteps, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var start int64
	var b bareStep
	var id, inputs, body sql.RawBytes
	for rows.Next() {
		b.Step = timeline.Step{}
		if err := rows.Scan(&b.build, &b.ordinal, &b.stored, &b.name, &b.key, &b.text, &b.facts, &id, &b.State, &start, &b.Duration, &inputs, &b.Bytes, &b.Error, &b.Rule, &body, &b.usage); err != nil {
			return nil, damaged(err)
		}
		if b.Start, err = timeOf(start); err != nil {
			return nil, damaged(err)
		}
		b.ID, b.Body = r.word(id), r.word(body)
		known, ok := r.inputs[string(inputs)]
		if !ok {
			if known, err = listOf(string(inputs)); err != nil {
				return nil, damaged(err)
			}
			for i := range known {
				known[i] = r.word([]byte(known[i]))
			}
			r.inputs[string(inputs)] = known
		}
		b.Inputs = slices.Clip(known)
		out = append(out, b)
	}
	return out, rows.Err()
}

// word is a text that others hold as well.
func (r *manyReader) word(text []byte) string {
	if w, ok := r.words[string(text)]; ok {
		return w
	}
	w := string(text)
	r.words[w] = w
	return w
}

// whole is a step with what it refers to.
func (r *manyReader) whole(ctx context.Context, b *bareStep) (s timeline.Step, err error) {
	name, ok := r.names[b.name]
	if !ok {
		err := r.one(ctx, "SELECT name, platform, stage, position, positions, source_file, source_line FROM names WHERE id = ?", b.name,
			&name.Name, &name.Platform, &name.Stage, &name.Index, &name.Count, &name.Source.File, &name.Source.Line)
		if err != nil {
			return s, err
		}
		r.names[b.name] = name
	}
	s = b.Step
	s.Name, s.Platform, s.Stage, s.Index, s.Count, s.Source = name.Name, name.Platform, name.Stage, name.Index, name.Count, name.Source
	if s.Key, err = r.textOf(ctx, r.keys, "SELECT key FROM keys WHERE id = ?", b.key); err != nil {
		return s, err
	}
	if b.text.Valid {
		if s.Text, err = r.textOf(ctx, r.texts, "SELECT text FROM texts WHERE id = ?", b.text.Int64); err != nil {
			return s, err
		}
	}
	if err := readStepFacts(&s, "", b.usage); err != nil {
		return s, damaged(err)
	}
	facts := sharedFacts{}
	if b.facts.Valid {
		if facts, err = r.factsOf(ctx, b.facts.Int64); err != nil {
			return s, err
		}
	}
	s.Facts = facts.StepFacts
	if err := checkStep(&s); err != nil {
		return s, damaged(err)
	}
	of := func(facts ...string) int64 { return stepSum(b.build, b.ordinal, &s, facts...) }
	return s, checkSum(b.stored, "step "+s.Key, of, facts.text, b.usage)
}

func (r *manyReader) factsOf(ctx context.Context, id int64) (facts sharedFacts, err error) {
	facts, ok := r.facts[id]
	if ok {
		return facts, nil
	}
	if err := r.one(ctx, "SELECT facts FROM facts WHERE id = ?", id, &facts.text); err != nil {
		return facts, err
	}
	if facts.StepFacts, err = valueOf[timeline.StepFacts](facts.text); err != nil {
		return facts, damaged(err)
	}
	r.facts[id] = facts
	return facts, nil
}

func (r *manyReader) textOf(ctx context.Context, known map[int64]string, query string, id int64) (string, error) {
	if text, ok := known[id]; ok {
		return text, nil
	}
	var text string
	err := r.one(ctx, query, id, &text)
	if err == nil {
		known[id] = text
	}
	return text, err
}

// one reads the row of an id, which is there unless the database is damaged.
func (r *manyReader) one(ctx context.Context, query string, id int64, to ...any) error {
	rows, err := r.tx.query(ctx, query, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return damaged(fmt.Errorf("a step refers to row %d, which is not there", id))
	}
	if err := rows.Scan(to...); err != nil {
		return damaged(err)
	}
	return rows.Close()
}
