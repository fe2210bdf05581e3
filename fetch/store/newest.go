package store

import (
	"context"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Newest are the newest builds of a pipeline, whatever became of them, at most so
// many, newest first. It reads all their steps.
func (s *Store) Newest(ctx context.Context, pipeline string, limit int) (out []timeline.Build, err error) {
	err = s.Past(ctx, pipeline, limit, func(p *Past) error {
		out = make([]timeline.Build, 0, len(p.Builds))
		return p.Whole(ctx, p.Builds, func(list []timeline.Build) error {
			out = append(out, list...)
			return nil
		})
	})
	return out, err
}
