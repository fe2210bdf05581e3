package store

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Facts are kept as JSON: nothing is looked up by them.

// factsEntry is the id of facts that many builds or steps share, nil for none.
func factsEntry[T any](ctx context.Context, tx *txn, f *T) (any, error) {
	if f == nil {
		return nil, nil
	}
	return factsTable.entry(ctx, tx, measured(f))
}

// measured is a value as JSON, "" for none.
func measured[T any](v *T) string {
	if v == nil {
		return ""
	}
	b, _ := json.Marshal(v) // texts, whole numbers and shares, which are finite
	return clean(string(b))
}

// valueOf is the value that measured wrote.
func valueOf[T any](text string) (*T, error) {
	if text == "" {
		return nil, nil
	}
	v := new(T)
	return v, json.Unmarshal([]byte(text), v)
}

// errImplausible tells of a measurement that nothing can have.
var errImplausible = errors.New("a measurement that cannot be one")

// readBuildFacts fills in what a row of builds has.
func readBuildFacts(b *timeline.Build, facts, machine string) (err error) {
	if b.Facts, err = valueOf[timeline.Facts](facts); err != nil {
		return err
	}
	if b.Machine, err = valueOf[timeline.Machine](machine); err == nil && b.Machine != nil && !b.Machine.Plausible() {
		return errImplausible
	}
	return err
}

// readStepFacts fills in what a row of steps has.
func readStepFacts(s *timeline.Step, facts, usage string) (err error) {
	if s.Facts, err = valueOf[timeline.StepFacts](facts); err != nil {
		return err
	}
	if s.Usage, err = valueOf[timeline.Usage](usage); err == nil && s.Usage != nil && !s.Usage.Plausible() {
		return errImplausible
	}
	return err
}
