// Package parallel does work in parallel where each call writes to a place of its own: what
// comes of it then does not depend on who does what, when, or on how many processors. Nothing
// outlives the call.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Enough is how many calls on steps a processor should have, for a second one to be worth
// its while.
const Enough = 16

// For calls do for 0 to n-1, on as many processors as get at least so many calls,
// and returns when all calls have. Calls must not depend on each other. Each processor
// takes the next few when it has done its last: one that is late, or busy elsewhere, is
// waited for only for these. If calls panic, so does For, as a caller can only
// recover from what is its own.
func For(n, least int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n/least)
	if workers < 2 {
		for i := range n {
			do(i)
		}
		return
	}
	few := max(1, least/2)
	var next atomic.Int64
	panics := make([]any, workers)
	work := func(worker int) {
		defer func() { panics[worker] = recover() }()
		for {
			end := int(next.Add(int64(few)))
			for i := end - few; i < min(end, n); i++ {
				do(i)
			}
			if end >= n {
				return
			}
		}
	}
	var others sync.WaitGroup
	for worker := 1; worker < workers; worker++ {
		others.Go(func() { work(worker) })
	}
	work(0)
	others.Wait()
	for _, cause := range panics {
		if cause != nil {
			panic(cause)
		}
	}
}

// Do runs all tasks in parallel.
func Do(tasks ...func()) {
	For(len(tasks), 1, func(i int) { tasks[i]() })
}
