package jaeger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/spans"
)

// Messages are read before they are taken: so many, and of so many bytes as they are
// sent. Decoded they may be 200 times as large, so that a large one is alone; Jaeger's
// are of 10 kB.
const (
	maxAhead      = 16
	maxAheadBytes = 1 << 20
)

// A frame is a message of an answer as it came.
type frame struct{ data mem.BufferSlice }

// A receiver is the client's end of an answer.
type receiver interface{ RecvMsg(any) error }

// decoded is what a frame holds.
type decoded struct {
	spans  []buildkit.Span
	weight int64 // of the frame in what is read ahead
	err    error
}

// stream reads the spans of an answer, in order. To decode them takes longer than to
// send them: it is done on all processors, beside what take does.
func (g *GRPC) stream(ctx context.Context, open func(context.Context) (receiver, error), take func(buildkit.Span) error) error {
	ctx, idle := g.options.WithIdleTimer(g.outgoing(ctx))
	defer idle.Stop()
	answer, err := open(ctx)
	if err != nil {
		return causeOf(ctx, err)
	}
	messages, ended := make(chan chan decoded, maxAhead), make(chan error, 1)
	inFlight := semaphore.NewWeighted(maxAheadBytes)
	go func() {
		defer close(messages)
		for {
			var f frame
			if err := answer.RecvMsg(&f); err != nil {
				ended <- err
				return
			}
			idle.Touch()
			if err := inFlight.Acquire(ctx, f.weight()); err != nil {
				f.data.Free()
				ended <- err
				return
			}
			message := make(chan decoded, 1)
			go func() { message <- f.decode(g.extra) }()
			select {
			case messages <- message:
			case <-ctx.Done():
				ended <- ctx.Err()
				return
			}
		}
	}()
	for message := range messages {
		var d decoded
		select {
		case d = <-message:
		case <-ctx.Done(): // a hostile message may take long
			return causeOf(ctx, ctx.Err())
		}
		if d.err != nil {
			return d.err
		}
		for i := range d.spans {
			if err := take(d.spans[i]); err != nil {
				return err
			}
		}
		inFlight.Release(d.weight)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		return causeOf(ctx, err)
	}
	return nil
}

// causeOf is err, or what ended ctx.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, httpclient.ErrIdle) {
		return cause
	}
	return err
}

// weight of the frame in what is read ahead: one as large as all of that weighs no more.
func (f *frame) weight() int64 { return int64(min(f.data.Len(), maxAheadBytes)) }

// decode decodes the frame, and lets go of it. One message with more spans than a trace
// may have is refused, as it is not known what it would take: Jaeger sends ten in each.
func (f *frame) decode(extra buildkit.AttributeSet) decoded {
	defer f.data.Free()
	d := decoded{weight: f.weight(), spans: make([]buildkit.Span, 0, 10)}
	data := f.data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer data.Free()
	decoder := decoders.Get().(*decoder)
	defer decoder.release()
	t := translator{extra: extra}
	for rest := data.ReadOnlyData(); len(rest) > 0; {
		span, after, err := nextSpan(rest)
		rest = after
		var j *model.Span
		if err == nil && span != nil {
			if err = checkValues(span); err == nil {
				j, err = decoder.span(span)
			}
		}
		switch {
		case err != nil:
			d.err = status.Errorf(codes.Internal, "not a message of spans: %v", err)
			return d
		case j == nil:
		case len(d.spans) == spans.Max:
			d.err = status.Errorf(codes.Internal, "one message: %v", spans.ErrTooMany)
			return d
		default:
			d.spans = append(d.spans, t.span(j))
		}
	}
	return d
}

// nextSpan returns the first span of a SpansResponseChunk, nil if another field comes
// first, and what follows.
func nextSpan(data []byte) (span, rest []byte, err error) {
	const spans = 1 // number of the field
	number, value, rest, err := nextField(data)
	if number != spans {
		value = nil
	}
	return value, rest, err
}

// maxValues is how many references, tags, log entries with their fields, and warnings one
// span may have. Each takes a hundred bytes decoded, and two in the message if it is empty.
const maxValues = 1 << 17

// checkValues counts these in the message of a span, before there is room made for them.
func checkValues(span []byte) error {
	const references, tags, logs, process, warnings = 4, 8, 9, 10, 12
	values := 0
	for len(span) > 0 {
		number, value, rest, err := nextField(span)
		if err != nil {
			return err
		}
		span = rest
		switch number {
		case references, tags, warnings:
			values++
		case logs, process:
			values++
			for inner := value; len(inner) > 0 && values <= maxValues; values++ {
				if _, _, inner, err = nextField(inner); err != nil {
					return err
				}
			}
		}
		if values > maxValues {
			return fmt.Errorf("a span with more than %d tags", maxValues)
		}
	}
	return nil
}

// nextField returns the first field of a message, its value if that is of bytes, and what
// follows.
func nextField(message []byte) (number protowire.Number, value, rest []byte, err error) {
	number, kind, n := protowire.ConsumeTag(message)
	if n < 0 {
		return 0, nil, nil, protowire.ParseError(n)
	}
	rest = message[n:]
	if kind == protowire.BytesType {
		value, n = protowire.ConsumeBytes(rest)
	} else {
		n = protowire.ConsumeFieldValue(number, kind, rest)
	}
	if n < 0 {
		return 0, nil, nil, protowire.ParseError(n)
	}
	return number, value, rest[n:], nil
}

// A decoder decodes one span after the other into the same room: to make room for their
// tags is most of the work.
type decoder struct {
	decoded model.Span
	process model.Process
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// span decodes a span, which is there until the next. It has a process, if an empty one.
func (d *decoder) span(data []byte) (*model.Span, error) {
	d.process = model.Process{Tags: cleared(d.process.Tags)}
	d.decoded = model.Span{Tags: cleared(d.decoded.Tags), References: cleared(d.decoded.References), Process: &d.process}
	err := d.decoded.Unmarshal(data)
	return &d.decoded, err
}

// release gives the decoder back, with nothing in it.
func (d *decoder) release() {
	d.process = model.Process{Tags: cleared(d.process.Tags)}
	d.decoded = model.Span{Tags: cleared(d.decoded.Tags), References: cleared(d.decoded.References)}
	decoders.Put(d)
}

// maxKept is how many tags of a span are kept room for, or remembered.
const maxKept = 1000

// cleared is the same list with nothing in it, and with room for as many if they are not
// too many to be kept.
func cleared[T any](list []T) []T {
	if cap(list) > maxKept {
		return nil
	}
	clear(list)
	return list[:0]
}
