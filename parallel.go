package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// inParallel does n things on all processors, in no particular order, and returns
// when none is being done any more. The first error ends it, and so does ctx.
func inParallel(ctx context.Context, n int, do func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				_, err := guarded(func() (int, error) { return 0, do(int(i)) })
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}
