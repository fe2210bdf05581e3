package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/buildregress/buildregress/fetch/spans"
)

// What is compressed with zstd: a file as a whole, or each message in one of the
// collector's file exporter, behind its length.

// maxWindow is how much of what went before a part of a file may refer to: that much
// memory it takes beside what it unpacks to. It is what zstd --long writes.
const maxWindow = 128 << 20

const (
	zstdMagic   = "\x28\xb5\x2f\xfd"
	lengthBytes = 4 // of a message, the highest first
	minMessage  = lengthBytes + len(zstdMagic)
)

// isZstd tells whether data begins with a frame of zstd, or with one to be skipped, as
// pzstd writes it.
func isZstd(data []byte) bool {
	return bytes.HasPrefix(data, []byte(zstdMagic)) || len(data) >= 4 && data[0]&0xf0 == 0x50 && string(data[1:4]) == "\x2a\x4d\x18"
}

// isPackedFrames tells whether data begins with a message that is compressed behind its
// length.
func isPackedFrames(data []byte) bool {
	return len(data) >= minMessage && string(data[lengthBytes:minMessage]) == zstdMagic
}

func (d *decoder) unzstd(name string, data []byte, depth int) error {
	content, err := d.unpack(func() (io.ReadCloser, error) { return zstdReader(data) })
	if err != nil {
		return decodeError(name, zstdError(err))
	}
	return d.decode(name, content, depth+1)
}

// zstdError says what is wrong with what is compressed.
func zstdError(err error) error {
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return fmt.Errorf("zstd: it takes more than %d MiB of memory to unpack", maxWindow>>20)
	}
	return fmt.Errorf("zstd: %w", cutOff(err))
}

// zstdReader reads what data unpacks to, in this goroutine.
func zstdReader(data []byte) (io.ReadCloser, error) {
	r, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(MaxFile+1))
	if err != nil {
		return nil, err
	}
	return r.IOReadCloser(), nil
}

// packedFrames reads messages that are compressed each by itself. If one is bad, the
// others are read.
func (d *decoder) packedFrames(name string, data []byte) error {
	var frames []byte
	for n := 1; len(data) > 0; n++ {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		message, rest, err := cutMessage(data)
		if err == nil {
			if message, err = d.unpack(func() (io.ReadCloser, error) { return zstdReader(message) }); d.isFatal(err) {
				return err
			}
		}
		if data = rest; err != nil {
			d.warn(name, fmt.Errorf("message %d: %w", n, zstdError(err)))
			continue
		}
		frames = binary.BigEndian.AppendUint32(frames, uint32(len(message)))
		frames = append(frames, message...)
	}
	if len(frames) == 0 && len(d.warnings) > 0 {
		last := d.warnings[len(d.warnings)-1]
		d.warnings = d.warnings[:len(d.warnings)-1]
		return last
	}
	return d.trace(name, frames, spans.Decoder{}.OTLPFrames)
}

// cutMessage splits off the first message of data, and returns what follows it.
func cutMessage(data []byte) (message, rest []byte, err error) {
	if len(data) < lengthBytes {
		return nil, nil, io.ErrUnexpectedEOF
	}
	size := int64(binary.BigEndian.Uint32(data))
	if data = data[lengthBytes:]; size > int64(len(data)) {
		return nil, nil, io.ErrUnexpectedEOF
	}
	return data[:size], data[size:], nil
}
