package buildx

import (
	"context"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// nearby is how far the beginning of a record lies from that of its trace at most: the client
// begins before the builder does.
const nearby = 30 * time.Second

// maxNearby bounds the records that are exported to find one.
const maxNearby = 5

// Traced finds the record of a build that began about then and is told of by a trace as
// well; nil if the builder has none. Each record that may be the one is exported.
func (s *Source) Traced(ctx context.Context, trace string, began time.Time) (*timeline.Build, error) {
	data, err := ask(ctx, s.ref.Builder, []string{"ls", "--no-trunc", "--format=json"})
	if err != nil {
		return nil, err
	}
	left := maxNearby
	for _, r := range listedIn(data) {
		if ref := r.ref(); left == 0 || r.Created.Sub(began).Abs() > nearby || !buildRef.MatchString(ref) {
			continue
		}
		left--
		builds, _, err := export(ctx, RecordRef{Builder: s.ref.Builder, Refs: []string{r.ref()}})
		if err != nil {
			return nil, err
		}
		s.describe(ctx, builds)
		for i := range builds {
			if builds[i].Trace == trace {
				return &builds[i], nil
			}
		}
	}
	return nil, nil
}
