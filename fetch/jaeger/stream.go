package jaeger

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/dial"
	"github.com/buildregress/buildregress/fetch/file"
)

// Messages are read before they are taken: so many, and of so many bytes.
const (
	ahead      = 16
	aheadBytes = maxMessage
)

// A frame is a message of an answer as it came.
type frame struct{ data mem.BufferSlice }

// A receiver is the client's end of an answer.
type receiver interface{ RecvMsg(any) error }

// read is what a frame holds.
type read struct {
	spans []buildkit.Span
	bytes int64 // of the frame
	err   error
}

// stream reads the spans of an answer, in order. To decode them takes longer than to
// send them: it is done on all processors, beside what take does.
func (g *GRPC) stream(ctx context.Context, open func(context.Context) (receiver, error), take func(buildkit.Span) error) error {
	ctx, watch := g.dial.NewWatch(g.outgoing(ctx))
	defer watch.End()
	r, err := open(ctx)
	if err != nil {
		return silence(ctx, err)
	}
	reads, ended := make(chan chan read, ahead), make(chan error, 1)
	room := semaphore.NewWeighted(aheadBytes)
	go func() {
		defer close(reads)
		for {
			var f frame
			if err := r.RecvMsg(&f); err != nil {
				ended <- err
				return
			}
			watch.Heard()
			if err := room.Acquire(ctx, f.bytes()); err != nil {
				ended <- err
				return
			}
			one := make(chan read, 1)
			go func() { one <- f.read(g.keep) }()
			select {
			case reads <- one:
			case <-ctx.Done():
				ended <- ctx.Err()
				return
			}
		}
	}()
	for one := range reads {
		r := <-one
		if r.err != nil {
			return r.err
		}
		for i := range r.spans {
			if err := take(r.spans[i]); err != nil {
				return err
			}
		}
		room.Release(r.bytes)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		return silence(ctx, err)
	}
	return nil
}

// silence is err, or what ended ctx.
func silence(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, dial.ErrSilent) {
		return cause
	}
	return err
}

// bytes is how large the frame is.
func (f *frame) bytes() int64 { return int64(f.data.Len()) }

// read decodes the frame, and lets go of it.
func (f *frame) read(keep buildkit.Keep) (r read) {
	defer f.data.Free()
	r.bytes = f.bytes()
	data := f.data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer data.Free()
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	t := translator{keep: keep}
	r.spans = make([]buildkit.Span, 0, 10) // as Jaeger sends them
	for rest := data.ReadOnlyData(); len(rest) > 0; {
		var span []byte
		var j *model.Span
		if span, rest, r.err = nextSpan(rest); r.err == nil && span != nil {
			j, r.err = d.decode(span)
		}
		switch {
		case r.err != nil:
			r.err = status.Errorf(codes.Internal, "not a message of spans: %v", r.err)
			return r
		case len(r.spans) == file.MaxSpans:
			r.err = status.Errorf(codes.Internal, "one message: %v", file.ErrTooManySpans)
			return r
		case j != nil:
			r.spans = append(r.spans, t.span(j))
		}
	}
	return r
}

// nextSpan returns the first span of a SpansResponseChunk, nil if another field comes
// first, and what follows.
func nextSpan(data []byte) (span, rest []byte, err error) {
	const spans = 1 // number of the field
	number, kind, n := protowire.ConsumeTag(data)
	if n < 0 {
		return nil, nil, protowire.ParseError(n)
	}
	rest = data[n:]
	if number == spans && kind == protowire.BytesType {
		span, n = protowire.ConsumeBytes(rest)
	} else {
		n = protowire.ConsumeFieldValue(number, kind, rest)
	}
	if n < 0 {
		return nil, nil, protowire.ParseError(n)
	}
	return span, rest[n:], nil
}

// A decoder decodes one span after the other into the same room: most of what it
// takes to decode a message is to make room for its tags.
type decoder struct {
	span    model.Span
	process model.Process
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// decode returns a span that is there until the next.
func (d *decoder) decode(data []byte) (*model.Span, error) {
	const most = 1000 // what room is kept for
	room := func(tags []model.KeyValue) []model.KeyValue {
		clear(tags)
		if cap(tags) > most {
			return nil
		}
		return tags[:0]
	}
	d.process = model.Process{Tags: room(d.process.Tags)}
	d.span = model.Span{Tags: room(d.span.Tags), References: d.span.References[:0], Process: &d.process}
	err := d.span.Unmarshal(data)
	return &d.span, err
}
