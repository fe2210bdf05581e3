package parallel

import (
	"sync/atomic"
	"testing"
)

// Every call is made once, and a panic in one of them is the caller's to recover.
func TestInParallel(t *testing.T) {
	for _, n := range []int{0, 1, 15, 33, 1000} {
		calls := make([]atomic.Int32, n)
		For(n, Enough, func(i int) { calls[i].Add(1) })
		for i := range calls {
			if got := calls[i].Load(); got != 1 {
				t.Errorf("of %d, call %d was made %d times", n, i, got)
			}
		}
	}
	defer func() {
		if cause := recover(); cause != "broken" {
			t.Errorf("recovered %v", cause)
		}
	}()
	For(1000, Enough, func(i int) {
		if i == 700 {
			panic("broken")
		}
	})
	t.Error("it returned")
}
