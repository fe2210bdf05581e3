package github

import (
	"sync/atomic"
	"testing"
)

func TestForEach(t *testing.T) {
	var calls atomic.Int32
	forEach(100, func(int) bool { calls.Add(1); return true })
	if n := calls.Load(); n != 100 {
		t.Errorf("%d calls, want 100", n)
	}
	calls.Store(0)
	forEach(100, func(i int) bool { calls.Add(1); return i < 10 })
	if n := calls.Load(); n < 11 || n > 10+parallel {
		t.Errorf("%d calls, want those before the 11th and few beside it", n)
	}
	defer func() {
		if cause := recover(); cause != "broken" {
			t.Errorf("recovered %v", cause)
		}
	}()
	forEach(100, func(i int) bool {
		if i == 5 {
			panic("broken")
		}
		return true
	})
	t.Error("a panic is lost")
}
