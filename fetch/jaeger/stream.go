package jaeger

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/dial"
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

// maxRoom is for how many spans room is kept for a next message.
const maxRoom = 1000

// chunks are for their room: messages of one answer hold about as many spans.
var chunks = sync.Pool{New: func() any { return new(api_v2.SpansResponseChunk) }}

// read decodes the frame, and lets go of it.
func (f *frame) read(keep buildkit.Keep) (r read) {
	defer f.data.Free()
	r.bytes = f.bytes()
	chunk := chunks.Get().(*api_v2.SpansResponseChunk)
	defer func() {
		if len(chunk.Spans) < maxRoom {
			clear(chunk.Spans)
			*chunk = api_v2.SpansResponseChunk{Spans: chunk.Spans[:0]}
			chunks.Put(chunk)
		}
	}()
	data := f.data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer data.Free()
	if err := chunk.Unmarshal(data.ReadOnlyData()); err != nil { // it copies what it keeps
		r.err = status.Errorf(codes.Internal, "not a message of spans: %v", err)
		return r
	}
	r.spans = make([]buildkit.Span, len(chunk.Spans))
	t := translator{keep: keep}
	for i := range chunk.Spans {
		r.spans[i] = t.span(&chunk.Spans[i])
	}
	return r
}
