package store

import (
	"fmt"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// maxTime is the longest duration of a build or a step. Nothing that a decoder
// accepts is longer.
const maxTime = 366 * 24 * time.Hour

// checkBuild says what cannot be true of b, its steps left out. It is asked
// before a build is stored, and of each that is read: whoever can write to a CI
// cache can write a store.
func checkBuild(b *timeline.Build) error {
	if b.Outcome < timeline.OK || b.Outcome > timeline.Cancelled {
		return fmt.Errorf("build %s: its outcome is number %d", b.ID, int(b.Outcome))
	}
	if b.Reader < 0 {
		return fmt.Errorf("build %s: its reader is number %d", b.ID, b.Reader)
	}
	for _, d := range []time.Duration{b.Duration, b.Resolution} {
		if d < 0 || d > maxTime {
			return fmt.Errorf("build %s: a duration is %v", b.ID, d)
		}
	}
	return nil
}

// checkStep says what cannot be true of s.
func checkStep(s *timeline.Step) error {
	switch {
	case s.State < timeline.Executed || s.State > timeline.Interrupted:
		return fmt.Errorf("step %s: its state is number %d", s.Key, int(s.State))
	case s.Duration < 0 || s.Duration > maxTime:
		return fmt.Errorf("step %s: its duration is %v", s.Key, s.Duration)
	case s.Index < 0 || s.Count < 0 || s.Bytes < 0 || s.Source.Line < 0 || s.Rule < 0:
		return fmt.Errorf("step %s: a number is less than none", s.Key)
	}
	return nil
}

// damaged says of an error that something in the database made it, nil of none.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}
