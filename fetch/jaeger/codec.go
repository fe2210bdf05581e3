package jaeger

import (
	"fmt"

	"github.com/gogo/protobuf/proto"
	"google.golang.org/grpc/mem"
)

// A Codec encodes messages with gogo/protobuf, whose custom types gRPC's own codec
// panics on. It is forced on each connection to Jaeger, so that no other user of
// gRPC gets it.
type Codec struct{}

func (Codec) Name() string { return "proto" }

func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", v)
	}
	b, err := proto.Marshal(m)
	return mem.BufferSlice{mem.SliceBuffer(b)}, err
}

func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*frame); ok { // which is decoded later, beside others
		data.Ref()
		f.data = data
		return nil
	}
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}
	return proto.Unmarshal(data.Materialize(), m)
}
