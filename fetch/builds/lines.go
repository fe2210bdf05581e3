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
	n      int  // of the last line, counted from 1
	broken bool // nothing can be read after an error
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// next is the next line that is not blank, io.EOF after the last.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.read()
		if err != nil || !isBlank(line) {
			return line, err
		}
	}
}

func (l *lines) read() ([]byte, error) {
	var line []byte
	l.n++
	for {
		part, err := l.r.ReadSlice('\n')
		line = append(line, part...)
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
