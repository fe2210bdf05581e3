package command

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// inParallel calls do for 0 to n-1 on all processors, in no particular order, and
// returns when none of the calls runs any more. The first error ends it, and so does
// ctx. A panic in do is an error.
func inParallel(ctx context.Context, n int, do func(i int) error) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := 0; i < n && inner.Err() == nil; i++ {
		group.Go(func() error {
			if inner.Err() != nil {
				return context.Cause(inner)
			}
			return RecoverPanic(func() error { return do(i) })
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}
