package detect

import (
	"fmt"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Steps whose rule is younger than the history learn anew. An older version of the
// program named or timed them in another way: what it wrote of them is no sample, it
// does not make them new, and nothing of it is gone.

// older counts the baseline builds that were read before the step's rule.
func (a *arranged) older(s *timeline.Step) (n int) {
	for i := range a.base {
		if a.base[i].Reader < s.Rule {
			n++
		}
	}
	return n
}

// learning is what there is to say of a step that has too few samples because older
// versions wrote so many builds of the baseline; the zero Note of any other.
func (a *arranged) learning(s *series, t Thresholds) Note {
	if s.step.Rule == 0 || len(s.samples) >= t.MinHistory {
		return Note{}
	}
	n := a.older(s.step)
	if n == 0 {
		return Note{}
	}
	return Note{KindOtherReader, fmt.Sprintf(
		"read in another way by an older buildregress, in %d of %d builds: it learns anew", n, len(a.base))}
}
