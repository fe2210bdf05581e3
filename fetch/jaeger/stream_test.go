package jaeger

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/spans"
)

// One message has as many spans as a trace may have, and not one more.
func TestSpansOfOneMessage(t *testing.T) {
	span, unknown := []byte{0x0a, 0}, []byte{0x5a, 1, 'x'}
	most := slices.Clip(append(bytes.Repeat(span, spans.Max), unknown...))
	for _, tt := range []struct {
		data []byte
		err  string
	}{
		{most, ""},
		{append(most, span...), "more than"},
		{append(most, span[:1]...), "not a message of spans"},
	} {
		f := frame{mem.BufferSlice{mem.SliceBuffer(tt.data)}}
		d := f.decode(nil)
		if len(d.spans) != spans.Max || (d.err == nil) != (tt.err == "") || d.err != nil && !strings.Contains(d.err.Error(), tt.err) {
			t.Errorf("%d spans, %v; want %d, %q", len(d.spans), d.err, spans.Max, tt.err)
		}
	}
}

// spanOfTags is a message with one span of so many tags, all empty.
func spanOfTags(n int) []byte {
	message := protowire.AppendVarint([]byte{0x0a}, uint64(2*n))
	return append(message, bytes.Repeat([]byte{0x42, 0}, n)...)
}

// A span with more tags than any has is refused before room is made for them.
func TestSpanOfManyTags(t *testing.T) {
	for n, want := range map[int]string{maxValues: "", maxValues + 1: "more than 131072 tags"} {
		f := frame{mem.BufferSlice{mem.SliceBuffer(spanOfTags(n))}}
		if d := f.decode(nil); (d.err == nil) != (want == "") || d.err != nil && !strings.Contains(d.err.Error(), want) {
			t.Errorf("%d tags: %v, want %q", n, d.err, want)
		}
	}
}

// messages are an answer, after which the server does what end says.
type messages struct {
	list [][]byte
	end  func() error
}

func (m *messages) RecvMsg(v any) error {
	if len(m.list) == 0 {
		return m.end()
	}
	data := m.list[0]
	m.list = m.list[1:]
	return Codec{}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, v)
}

// A message that takes long to decode holds nobody up whose time is over.
func TestNoMessageIsWaitedForTooLong(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	slow := bytes.Repeat(spanOfTags(maxValues), 16)
	answer := &messages{list: [][]byte{slow}, end: func() error {
		cancel()
		return ctx.Err()
	}}
	taken := 0
	err := new(GRPC).stream(ctx, func(context.Context) (receiver, error) { return answer, nil }, func(buildkit.Span) error {
		taken++
		return nil
	})
	if taken > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d spans taken, %v; want none, canceled", taken, err)
	}
}

// Messages are decoded at once, and taken in their order; as many as come.
func TestOrderOfMessages(t *testing.T) {
	var list [][]byte
	const n = 1000
	for i := range n {
		name := bytes.Repeat([]byte{'a' + byte(i%26)}, 1+i%100)
		span := append([]byte{0x1a, byte(len(name))}, name...)
		list = append(list, append([]byte{0x0a, byte(len(span))}, span...))
	}
	answer := &messages{list: list, end: func() error { return io.EOF }}
	i := 0
	err := new(GRPC).stream(context.Background(), func(context.Context) (receiver, error) { return answer, nil }, func(s buildkit.Span) error {
		if want := strings.Repeat(string(rune('a'+i%26)), 1+i%100); s.Name != want {
			t.Fatalf("span %d is %q, want %q", i, s.Name, want)
		}
		i++
		return nil
	})
	if err != nil || i != n {
		t.Errorf("%d spans, %v; want %d", i, err, n)
	}
}
