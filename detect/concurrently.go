package detect

import (
	"runtime"
	"sync"
)

// concurrently calls do for 0 to n-1, on all processors if that is worth it, and
// returns when all calls have. Calls must not depend on each other. If one panics,
// so does concurrently, as a caller can only recover from what is its own.
func concurrently(n int, do func(i int)) {
	const worth = 16 // calls that a processor should have
	workers := min(runtime.GOMAXPROCS(0), n/worth)
	if workers < 2 {
		for i := range n {
			do(i)
		}
		return
	}
	var wg sync.WaitGroup
	broken := make([]any, workers) // why each of them ended early
	for w := range workers {
		wg.Go(func() {
			defer func() { broken[w] = recover() }()
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				do(i)
			}
		})
	}
	wg.Wait()
	for _, cause := range broken {
		if cause != nil {
			panic(cause)
		}
	}
}
