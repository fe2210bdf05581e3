package store

import (
	"context"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Newest are the newest builds of a pipeline, whatever became of them, at most so
// many, newest first. It reads all their steps.
func (s *Store) Newest(ctx context.Context, pipeline string, limit int) (out []timeline.Build, err error) {
	p, err := s.Past(ctx, pipeline, limit)
	if err != nil {
		return nil, err
	}
	out = make([]timeline.Build, 0, len(p.Builds))
	err = p.Whole(ctx, p.Builds, func(list []timeline.Build) error {
		out = append(out, list...)
		return nil
	})
	return out, err
}
