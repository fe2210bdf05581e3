// Package spans decodes the spans of traces in the formats in which servers send
// them and files hold them: OTLP in protobuf and JSON, Jaeger's JSON, and the span
// stubs of the Go SDK, which BuildKit keeps in its build records.
//
// Traces come from anywhere: each decoder first checks how much there is of what
// would take memory or stack, and stops when its context ends.
package spans

import (
	"context"
	"fmt"

	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// Bounds of one trace, as far as boundjson does not set them. Real builds stay
// far below.
const (
	Max      = 200_000   // spans
	MaxBytes = 128 << 20 // as it is sent or stored
)

// ErrTooMany is the error of a trace that is larger than any real build's.
var ErrTooMany = fmt.Errorf("more than %d spans", Max)

// A Decoder decodes spans. Its zero value keeps of their attributes what builds
// are made of.
type Decoder struct {
	Extra buildkit.AttributeSet // in addition
}

// eachJSON calls f with each of the JSON values that follow each other in data.
func eachJSON(ctx context.Context, data []byte, f func(value []byte) error) error {
	for value, err := range boundjson.Values(data) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = f(value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
