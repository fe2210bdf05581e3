package builds

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// lines reads a line at a time, none longer than MaxLine.
type lines struct {
	r      *bufio.Reader
	room   []byte // of the last line, that of the next as well
	n      int    // of the last line, counted from 1
	broken bool   // nothing can be read after an error
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// next is the next line that is not blank, io.EOF after the last. It holds until next is
// called again.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.read()
		if err != nil || !isBlank(line) {
			return line, err
		}
	}
}

func (l *lines) read() ([]byte, error) {
	const mostKept = 1 << 20 // of the room
	if cap(l.room) > mostKept {
		l.room = nil
	}
	line := l.room[:0]
	l.n++
	for {
		part, err := l.r.ReadSlice('\n')
		line = append(line, part...)
		l.room = line
		switch {
		case err == nil:
			return line, nil
		case err == io.EOF && len(line) > 0:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			l.broken = true
			return nil, err
		case len(line) > MaxLine:
			l.broken = true
			return nil, fmt.Errorf("longer than %d MiB", MaxLine>>20)
		}
	}
}
