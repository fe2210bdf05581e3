package timeline

import (
	"encoding/json"
	"math"
	"testing"
)

func TestSecondsAreExact(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 1e9, 61_000_000_000, 1_234_567_890, -5, 999_999_999, 123_456_789_012_345_678, math.MaxInt64} {
		b, err := json.Marshal(Seconds(n))
		if err != nil {
			t.Fatal(err)
		}
		var back Seconds
		if err := json.Unmarshal(b, &back); err != nil || int64(back) != n {
			t.Errorf("%d ns is %s in JSON, and %d again (%v)", n, b, back, err)
		}
	}
	for text, want := range map[string]Seconds{"1e-3": 1e6, "2.5E1": 25e9, "0": 0, "-1.5": -15e8} {
		var s Seconds
		if err := json.Unmarshal([]byte(text), &s); err != nil || s != want {
			t.Errorf("%s is %d ns (%v), want %d", text, s, err, want)
		}
	}
	for _, bad := range []string{`"x"`, `1e99`, `null`, `{}`, `-1e30`} {
		var s Seconds
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s is read as %d ns", bad, s)
		}
	}
}
