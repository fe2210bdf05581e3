package timeline

import (
	"testing"
	"time"
)

// The same vertex executed once more is another execution, and so is what has no id.
func TestRepeat(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var l Executions
	for _, test := range []struct {
		step Step
		want bool
	}{
		{Step{ID: "a", Start: at, Duration: 5}, false},
		{Step{ID: "a", Start: at, Duration: 5}, true},
		{Step{ID: "a", Start: at.Add(3), Duration: 2}, true}, // since the build began
		{Step{ID: "b", Start: at, Duration: 5}, false},
		{Step{ID: "a", Start: at.Add(1), Duration: 5}, false},
		{Step{ID: "a", Start: at, Duration: 5}, true}, // one in between
		{Step{ID: "", Start: at, Duration: 5}, false},
		{Step{ID: "", Start: at, Duration: 5}, false},
		{Step{ID: "c", Duration: 5}, false},
		{Step{ID: "c", Duration: 5}, false},
	} {
		if got := l.Repeat(&test.step); got != test.want {
			t.Errorf("%+v: %v", test.step, got)
		}
	}
}
