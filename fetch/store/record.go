package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// A Summary is what became of builds that were recorded.
type Summary struct {
	Read    int     // builds that are in the store now, those that were in it included
	Added   int     // builds that the store did not hold before
	Clashes []error // *fetch.Clash with those that it holds
}

// batch is how many builds are put into the store in one transaction: each costs a wait
// for the disk, and keeps others from writing while it lasts.
const batch = 200

// Record puts the builds into the store. A build that it holds already is completed by
// what the new recording knows more, see fetch.Merge. With an error, the summary is of
// those that are in: the first of them, up to a multiple of some hundreds.
func (s *Store) Record(ctx context.Context, builds []timeline.Build) (sum Summary, err error) {
	for part := range slices.Chunk(builds, batch) {
		var done Summary
		err := s.write(ctx, func(tx *txn) (err error) {
			done, err = recordAll(ctx, tx, part)
			return err
		})
		if err != nil {
			return sum, err
		}
		sum.Read += len(part)
		sum.Added += done.Added
		sum.Clashes = append(sum.Clashes, done.Clashes...)
	}
	return sum, nil
}

func recordAll(ctx context.Context, tx *txn, builds []timeline.Build) (sum Summary, err error) {
	for i := range builds {
		known, err := record(ctx, tx, &builds[i])
		if err != nil {
			return sum, err
		}
		if known == nil {
			sum.Added++
		} else if clash := fetch.ClashOf(known, &builds[i]); clash != nil {
			sum.Clashes = append(sum.Clashes, clash)
		}
	}
	return sum, nil
}

// Holds tells of each of the builds whether the store holds a recording of it.
func (s *Store) Holds(ctx context.Context, list []timeline.Build) ([]bool, error) {
	held := make([]bool, len(list))
	return held, s.read(ctx, func(tx *txn) error {
		for i := range list {
			recorded, err := recordings(ctx, tx, &list[i])
			if err != nil {
				return err
			}
			held[i] = len(recorded) > 0
		}
		return nil
	})
}

// record puts b into the store, and returns the build of which it is another
// recording, nil if there was none.
func record(ctx context.Context, tx *txn, b *timeline.Build) (before *timeline.Build, err error) {
	recorded, err := recordings(ctx, tx, b)
	if err != nil {
		return nil, err
	}
	if len(recorded) == 0 {
		own := *b
		if own.ID, err = idFor(ctx, tx, b); err != nil {
			return nil, err
		}
		return nil, insert(ctx, tx, &own)
	}
	k := &recorded[0]
	if k.kept == tail { // what was left of it is no build to be completed
		return &k.Build, nil
	}
	if err := k.readSteps(ctx, tx); err != nil {
		return nil, err
	}
	merged, more := fetch.Merge(&k.Build, b)
	if !more {
		return &k.Build, nil
	}
	if err := remove(ctx, tx, k.id); err != nil {
		return nil, err
	}
	return &k.Build, insert(ctx, tx, &merged)
}

// insert adds b.
func insert(ctx context.Context, tx *txn, b *timeline.Build) error {
	if err := checkBuild(b); err != nil {
		return err
	}
	pipeline, err := pipelinesTable.entry(ctx, tx, clean(b.Pipeline))
	if err != nil {
		return err
	}
	line, err := linesTable.entry(ctx, tx, pipeline, clean(b.Branch), clean(b.PullRequest), clean(b.Repository))
	if err != nil {
		return err
	}
	facts, err := factsEntry(ctx, tx, b.Facts)
	if err != nil {
		return err
	}
	build, err := tx.id(ctx, `INSERT INTO builds (ref, trace, content, pipeline, line, revision, url, runner,
		start, duration, resolution, outcome, error, log, partial, reader, target, facts, machine, step_count, sum) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING id`,
		clean(b.ID), clean(b.Trace), clean(b.Content), pipeline, line, clean(b.Revision), clean(b.URL), clean(b.Runner),
		instant(b.Start), int64(b.Duration), int64(b.Resolution), int(b.Outcome), clean(b.Error), list(b.Log), b.Partial, b.Reader, clean(b.Target), facts, measured(b.Machine), len(b.Steps), sumOfBuild(b, len(b.Steps)))
	if err != nil {
		return err
	}
	return insertSteps(ctx, tx, build, line, b)
}

// insertSteps adds the steps of b.
func insertSteps(ctx context.Context, tx *txn, build, line int64, b *timeline.Build) error {
	if err := learnSteps(ctx, tx, b); err != nil {
		return err
	}
	rows := make([]any, 0, len(b.Steps)*len(stepRow))
	for i := range b.Steps {
		s := &b.Steps[i]
		if err := checkStep(s); err != nil {
			return fmt.Errorf("build %s: %w", b.ID, err)
		}
		key, err := keysTable.entry(ctx, tx, clean(s.Key))
		if err != nil {
			return err
		}
		name, err := namesTable.entry(ctx, tx, nameOf(key, s)...)
		if err != nil {
			return err
		}
		var text any
		if s.Text != "" {
			if text, err = textsTable.entry(ctx, tx, clean(s.Text)); err != nil {
				return err
			}
		}
		facts, err := factsEntry(ctx, tx, s.Facts)
		if err != nil {
			return err
		}
		var sampleLine, sampleStart any
		if s.State == timeline.Executed && b.Outcome == timeline.OK {
			sampleLine, sampleStart = line, instant(b.Start)
		}
		rows = append(rows, build, i, name, key, clean(s.ID), int(s.State), instant(s.Start), int64(s.Duration),
			list(s.Inputs), s.Bytes, clean(s.Error), sampleLine, sampleStart, s.Rule, clean(s.Body), text, facts, measured(s.Usage), sumOfStep(build, i, s))
	}
	// Of few sizes, so that few statements are prepared.
	for _, n := range []int{32, 8, 1} {
		for size := n * len(stepRow); len(rows) >= size; rows = rows[size:] {
			if err := tx.exec(ctx, "INSERT INTO steps ("+strings.Join(stepRow, ", ")+") VALUES "+placeholders(n, len(stepRow)), rows[:size]...); err != nil {
				return err
			}
		}
	}
	return nil
}

// stepRow are the columns of a step.
var stepRow = []string{
	"build", "ordinal", "name", "key", "id", "state", "start", "duration",
	"inputs", "bytes", "error", "sample_line", "sample_start", "rule", "body", "text", "facts", "usage", "sum",
}

// nameOf is the row of names of a step.
func nameOf(key int64, s *timeline.Step) []any {
	return []any{key, clean(s.Name), clean(s.Platform), clean(s.Stage), s.Index, s.Count, clean(s.Source.File), s.Source.Line}
}

// learnSteps looks up what the steps of b share with others.
func learnSteps(ctx context.Context, tx *txn, b *timeline.Build) error {
	var keys, names, texts, facts [][]any
	for i := range b.Steps {
		s := &b.Steps[i]
		keys = append(keys, []any{clean(s.Key)})
		if s.Text != "" {
			texts = append(texts, []any{clean(s.Text)})
		}
		if s.Facts != nil {
			facts = append(facts, []any{measured(s.Facts)})
		}
	}
	if err := keysTable.learn(ctx, tx, keys); err != nil {
		return err
	}
	for i := range b.Steps {
		if id := tx.entries[keysTable.known(keys[i])]; id != absent {
			names = append(names, nameOf(id, &b.Steps[i]))
		}
	}
	if err := namesTable.learn(ctx, tx, names); err != nil {
		return err
	}
	if err := textsTable.learn(ctx, tx, texts); err != nil {
		return err
	}
	return factsTable.learn(ctx, tx, facts)
}
