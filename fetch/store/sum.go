package store

import (
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A sum is a checksum of what a row says together with the rows that it refers to. It
// tells a bit that a disk flipped, and a reference that leads elsewhere, both of which
// SQLite takes for values like any other.
type sum struct{ buffer []byte }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s *sum) text(texts ...string) {
	for _, t := range texts {
		t = clean(t)
		s.number(int64(len(t)))
		s.buffer = append(s.buffer, t...)
	}
}

func (s *sum) number(numbers ...int64) {
	for _, n := range numbers {
		s.buffer = append(strconv.AppendInt(s.buffer, n, 36), ' ')
	}
}

// value is never 0, which stands for none.
func (s *sum) value() int64 { return int64(crc32.Checksum(s.buffer, castagnoli)) + 1 }

// sumOfBuild is that of a build's row, its steps left out but for their number.
func sumOfBuild(b *timeline.Build, steps int) int64 {
	return buildSum(b, steps, measured(b.Facts), measured(b.Machine))
}

// buildSum is that of a row whose facts are texts: as they are stored, which another version
// may have written.
func buildSum(b *timeline.Build, steps int, facts ...string) int64 {
	var s sum
	s.text(b.ID, b.Trace, b.Content, b.Pipeline, b.Repository, b.Revision, b.Branch, b.PullRequest, b.URL, b.Runner, b.Error, list(b.Log), b.Target)
	s.number(instant(b.Start), int64(b.Duration), int64(b.Resolution), int64(b.Outcome), int64(b.Reader), int64(steps))
	if b.Partial {
		s.number(1)
	}
	return s.with(facts)
}

// sumOfStep is that of a step's row. The build is a row's number.
func sumOfStep(build int64, ordinal int, step *timeline.Step) int64 {
	return stepSum(build, ordinal, step, measured(step.Facts), measured(step.Usage))
}

// stepSum is that of a row whose facts are texts, see buildSum.
func stepSum(build int64, ordinal int, step *timeline.Step, facts ...string) int64 {
	s := sum{make([]byte, 0, 512)}
	s.text(step.Key, step.Name, step.Platform, step.Stage, step.Source.File, step.ID, list(step.Inputs), step.Error, step.Body, step.Text)
	s.number(build, int64(ordinal), int64(step.Index), int64(step.Count), int64(step.Source.Line), int64(step.State),
		instant(step.Start), int64(step.Duration), step.Bytes, int64(step.Rule))
	return s.with(facts)
}

// with is the value with facts. Without any it is what earlier versions stored, which left
// them out.
func (s *sum) with(facts []string) int64 {
	for _, f := range facts {
		if f != "" {
			s.text(facts...)
			break
		}
	}
	return s.value()
}

// checkSum compares a stored sum with that of a row's facts: 0 where an earlier version
// stored none, and what of gives without facts where one left them out.
func checkSum(stored int64, what string, of func(facts ...string) int64, facts ...string) error {
	if stored == 0 || stored == of(facts...) || stored == of() {
		return nil
	}
	return fmt.Errorf("%w: the checksum of %s is another one", ErrDamaged, what)
}
