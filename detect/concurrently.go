package detect

import (
	"runtime"
	"sync"
)

// concurrently calls do for 0 to n-1, on all processors if that is worth it, and
// returns when all calls have. Calls must not depend on each other.
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
	for w := range workers {
		wg.Go(func() {
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				do(i)
			}
		})
	}
	wg.Wait()
}
