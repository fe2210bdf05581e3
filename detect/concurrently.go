package detect

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// concurrently calls do for 0 to n-1, on all processors if that is worth it, and
// returns when all calls have. Calls must not depend on each other. Each processor
// takes the next few when it has done its last: one that is late, or busy elsewhere, is
// waited for only for these.
func concurrently(n int, do func(i int)) {
	const (
		worth = 16 // calls that a processor should have
		few   = 8
	)
	workers := min(runtime.GOMAXPROCS(0), n/worth)
	if workers < 2 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	work := func() {
		for {
			end := int(next.Add(few))
			for i := end - few; i < min(end, n); i++ {
				do(i)
			}
			if end >= n {
				return
			}
		}
	}
	tasks := make([]func(), workers)
	for w := range tasks {
		tasks[w] = work
	}
	together(tasks...)
}

// together runs all tasks at once, the first of them itself, and returns when all have
// ended. If one panics, so does together, as a caller can only recover from what is its
// own.
func together(tasks ...func()) {
	var wg sync.WaitGroup
	broken := make([]any, len(tasks)) // why each of them ended early
	for i, task := range tasks[1:] {
		wg.Go(func() {
			defer func() { broken[i] = recover() }()
			task()
		})
	}
	func() {
		defer wg.Wait()
		tasks[0]()
	}()
	for _, cause := range broken {
		if cause != nil {
			panic(cause)
		}
	}
}
