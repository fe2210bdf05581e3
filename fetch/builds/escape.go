package builds

import (
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// escape writes as \u…, which JSON reads back as it was, what a terminal obeys or
// does not show, and the second of two "#", with which commands to a CI begin.
func escape(line []byte) []byte {
	out := make([]byte, 0, len(line)+len(line)/8)
	previous := rune(-1)
	for len(line) > 0 {
		if n := plain(line); n > 0 {
			out, previous, line = append(out, line[:n]...), rune(line[n-1]), line[n:]
			continue
		}
		r, size := utf8.DecodeRune(line)
		switch {
		case r == '#' && previous == '#', r != '\n' && isInvisible(r):
			out = appendEscaped(out, r)
		default:
			out = append(out, line[:size]...)
		}
		previous, line = r, line[size:]
	}
	return out
}

// plain is how many bytes at the beginning of line are printable ASCII and no "#":
// most of any line.
func plain(line []byte) (n int) {
	for n < len(line) && line[n] >= ' ' && line[n] < 0x7f && line[n] != '#' {
		n++
	}
	return n
}

// isInvisible tells controls, marks of direction, and all else that shows
// nothing of itself.
func isInvisible(r rune) bool {
	return r >= utf8.RuneSelf && !unicode.IsPrint(r) || r < ' ' || r == 0x7f || unicode.Is(blank, r)
}

// blank are characters that count as printable and show nothing: joiners,
// fillers and selectors of variants.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1},
		{Lo: 0x115f, Hi: 0x1160, Stride: 1},
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1},
		{Lo: 0x180b, Hi: 0x180f, Stride: 1},
		{Lo: 0x2800, Hi: 0x2800, Stride: 1},
		{Lo: 0x3164, Hi: 0x3164, Stride: 1},
		{Lo: 0xfe00, Hi: 0xfe0f, Stride: 1},
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0xe0100, Hi: 0xe01ef, Stride: 1}},
}

func appendEscaped(out []byte, r rune) []byte {
	if a, b := utf16.EncodeRune(r); a != utf8.RuneError {
		return fmt.Appendf(out, `\u%04x\u%04x`, a, b)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
