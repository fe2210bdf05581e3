package file

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/buildregress/buildregress/fetch/buildkit"
)

var errBadProtobuf = errors.New("bad protobuf")

// statusBlob reads the progress of a build record: messages StatusResponse of
// BuildKit's control.proto, each behind its length in four bytes.
func statusBlob(ctx context.Context, p *buildkit.Progress, data []byte) error {
	for len(data) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(data) < 4 {
			return errors.New("cut off: it ends in the middle")
		}
		size := binary.LittleEndian.Uint32(data)
		data = data[4:]
		if uint64(size) > uint64(len(data)) {
			return errors.New("cut off: it ends in the middle")
		}
		if err := statusResponse(p, data[:size]); err != nil {
			return err
		}
		data = data[size:]
	}
	return nil
}

func statusResponse(p *buildkit.Progress, data []byte) error {
	return eachField(data, func(number protowire.Number, value []byte, _ uint64) error {
		switch number {
		case 1:
			v, err := statusVertex(value)
			if err != nil {
				return err
			}
			return p.Vertex(v)
		case 2:
			s, err := vertexStatus(value)
			if err != nil {
				return err
			}
			p.Status(s)
		case 3:
			l, err := vertexLog(value)
			if err != nil {
				return err
			}
			p.Log(l)
		case 4:
			return eachField(value, func(number protowire.Number, value []byte, _ uint64) error {
				if number == 3 {
					p.Warning(buildkit.Warning{Short: value})
				}
				return nil
			})
		}
		return nil
	})
}

func statusVertex(data []byte) (v buildkit.Vertex, err error) {
	err = eachField(data, func(number protowire.Number, value []byte, n uint64) (err error) {
		switch number {
		case 1:
			v.Digest = string(value)
		case 2:
			v.Inputs = append(v.Inputs, string(value))
		case 3:
			v.Name = string(value)
		case 4:
			v.Cached = n != 0
		case 5:
			v.Started, err = timestamp(value)
		case 6:
			v.Completed, err = timestamp(value)
		case 7:
			v.Error = string(value)
		}
		return err
	})
	return v, err
}

func vertexStatus(data []byte) (s buildkit.Status, err error) {
	err = eachField(data, func(number protowire.Number, value []byte, n uint64) (err error) {
		switch number {
		case 1:
			s.ID = string(value)
		case 2:
			s.Vertex = string(value)
		case 4:
			s.Current = int64(n)
		case 6:
			s.Timestamp, err = timestamp(value)
		case 7:
			s.Started, err = timestamp(value)
		case 8:
			s.Completed, err = timestamp(value)
		}
		return err
	})
	return s, err
}

func vertexLog(data []byte) (l buildkit.Log, err error) {
	err = eachField(data, func(number protowire.Number, value []byte, _ uint64) (err error) {
		switch number {
		case 1:
			l.Vertex = string(value)
		case 2:
			l.Timestamp, err = timestamp(value)
		case 4:
			l.Data = value
		}
		return err
	})
	return l, err
}

func timestamp(data []byte) (time.Time, error) {
	var seconds, nanos int64
	err := eachField(data, func(number protowire.Number, _ []byte, n uint64) error {
		switch number {
		case 1:
			seconds = int64(n)
		case 2:
			nanos = int64(n)
		}
		return nil
	})
	return unixTime(seconds, nanos), err
}

// eachField calls f with each field of a message: with the bytes of one that
// has some, else with its number.
func eachField(data []byte, f func(number protowire.Number, value []byte, n uint64) error) error {
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errBadProtobuf
		}
		data = data[n:]
		var value []byte
		var bits uint64
		switch wire {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			bits, n = protowire.ConsumeVarint(data)
		default:
			n = protowire.ConsumeFieldValue(number, wire, data)
		}
		if n < 0 {
			return errBadProtobuf
		}
		data = data[n:]
		if err := f(number, value, bits); err != nil {
			return fmt.Errorf("field %d: %w", number, err)
		}
	}
	return nil
}
