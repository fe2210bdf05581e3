package file

import (
	"context"

	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/pipeline"
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
	reader := pipeline.Reader{Options: d.pipelines}
	builds, warnings := reader.Builds(spans)
	if len(builds) == 0 && len(spans) > 0 {
		return pipeline.NoBuild(spans)
	}
	return d.add(name, builds, warnings)
}
