package file

import (
	"context"

	"github.com/buildregress/buildregress/fetch/buildkit"
)

// trace reads a trace file of one of the formats.
func (d *decoder) trace(name string, data []byte, decode func(context.Context, []byte) ([]buildkit.Span, error)) error {
	spans, err := decode(d.ctx, data)
	if err != nil && len(spans) == 0 {
		return err
	}
	if err != nil {
		d.warn(name, err)
	}
	builds, warnings := buildkit.Builds(spans)
	if len(builds) == 0 && len(spans) > 0 {
		return buildkit.NoBuild(spans)
	}
	return d.add(name, builds, warnings)
}
