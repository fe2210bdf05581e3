package spans

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/buildregress/buildregress/fetch/buildkit"
)

// The collector's file exporter writes each message of its format proto behind its
// length, in four bytes, the highest first. Messages on metrics and logs may stand
// between those on traces, and the collector may have been stopped while it wrote.

const lengthBytes = 4

var errFrameCut = errors.New("cut off: it ends in the middle of a message")

// IsOTLPFrames tells whether data begins with an OTLP message TracesData behind its
// length, or with one that is cut off. Text never does: the length of less than
// 16 MiB begins with a zero.
func IsOTLPFrames(data []byte) bool {
	message, _, err := frame(data)
	if err != nil {
		return len(data) > lengthBytes && data[0] == 0 && data[lengthBytes] == '\n'
	}
	return IsOTLPProto(message)
}

// frame splits off the first message of data, and returns what follows it.
func frame(data []byte) (message, rest []byte, err error) {
	if len(data) < lengthBytes {
		return nil, nil, errFrameCut
	}
	size := uint64(binary.BigEndian.Uint32(data))
	data = data[lengthBytes:]
	if size > uint64(len(data)) {
		return nil, nil, errFrameCut
	}
	return data[:size], data[size:], nil
}

// OTLPFrames reads the spans of messages TracesData, each behind its length. If one
// is bad, those of the others are returned with the error of the first.
func (d Decoder) OTLPFrames(ctx context.Context, data []byte) ([]buildkit.Span, error) {
	var spans []buildkit.Span
	var bad error
	for n := 1; len(data) > 0; n++ {
		message, rest, err := frame(data)
		var list []buildkit.Span
		if err == nil {
			data = rest
			list, err = d.OTLPProto(ctx, message)
		} else {
			data = nil
		}
		if len(spans)+len(list) > Max {
			return spans, ErrTooMany
		}
		spans = append(spans, list...)
		if ctx.Err() != nil {
			return spans, ctx.Err()
		}
		if err != nil && bad == nil {
			bad = fmt.Errorf("message %d: %w", n, err)
		}
	}
	return spans, bad
}
