package spans

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/buildregress/buildregress/fetch/buildkit"
)

// The collector's file exporter writes each message of its format proto behind its
// length, in four bytes, the highest first. Messages on metrics and logs may stand
// between those on traces, and the collector may have been stopped while it wrote.

const lengthBytes = 4

var errFrameCut = errors.New("cut off: it ends in the middle of a message")

// IsOTLPFrames tells whether data begins with an OTLP message behind its length, or with
// one that is cut off. Text never does: the length of less than
// 16 MiB begins with a zero.
func IsOTLPFrames(data []byte) bool {
	message, _, err := frame(data)
	if err != nil {
		return len(data) > lengthBytes && data[0] == 0 && data[lengthBytes] == '\n'
	}
	return IsOTLPProto(message) || isMetricsOrLogs(message)
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

// OTLPFrames reads the spans of messages TracesData, in protobuf or JSON, each behind its length, and leaves
// those on metrics and logs. If one is bad, those of the others are returned with the error of the first.
func (d Decoder) OTLPFrames(ctx context.Context, data []byte) ([]buildkit.Span, error) {
	var spans []buildkit.Span
	var bad error
	for n := 1; len(data) > 0; n++ {
		message, rest, err := frame(data)
		var list []buildkit.Span
		if err == nil {
			if data = rest; isMetricsOrLogs(message) {
				continue
			}
			list, err = d.message(ctx, message)
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

// message reads one message. The collector writes JSON behind its length too, where it
// compresses it.
func (d Decoder) message(ctx context.Context, message []byte) ([]buildkit.Span, error) {
	if len(message) > 0 && message[0] == '{' {
		return d.OTLPJSON(ctx, message)
	}
	return d.OTLPProto(ctx, message)
}

// isMetricsOrLogs tells whether the first element of a message is a metric or a record of
// a log. On the wire the messages of all three signals are alike down to there: resources,
// scopes, elements.
func isMetricsOrLogs(message []byte) bool {
	element := message
	for _, number := range []protowire.Number{1, 2, 2} {
		if element = firstBytes(element, number); element == nil {
			return false
		}
	}
	wires := map[protowire.Number]protowire.Type{}
	for len(element) > 0 {
		number, wire, n := protowire.ConsumeField(element)
		if n < 0 {
			return false
		}
		wires[number] = wire
		element = element[n:]
	}
	has := func(number protowire.Number, wire protowire.Type) bool {
		got, ok := wires[number]
		return ok && got == wire
	}
	if has(7, protowire.Fixed64Type) || has(8, protowire.Fixed64Type) {
		return false // the beginning and the end of a span
	}
	if has(1, protowire.Fixed64Type) || has(11, protowire.Fixed64Type) {
		return true // when a record was written or seen
	}
	isMetric := false
	for _, data := range []protowire.Number{5, 7, 9, 10, 11} { // gauge, sum, histograms, summary
		isMetric = isMetric || has(data, protowire.BytesType)
	}
	return isMetric && has(1, protowire.BytesType)
}

// firstBytes is the first field of a message with this number that holds bytes, nil if
// there is none.
func firstBytes(message []byte, number protowire.Number) []byte {
	for len(message) > 0 {
		num, wire, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		m := protowire.ConsumeFieldValue(num, wire, message[n:])
		if m < 0 {
			return nil
		}
		if num == number && wire == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message[n:])
			return value
		}
		message = message[n+m:]
	}
	return nil
}
