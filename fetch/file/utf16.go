package file

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// fromUTF16 is text in UTF-16 as UTF-8, which PowerShell writes where output is sent
// to a file; isText is false if data is none. Half a character becomes a mark.
func fromUTF16(data []byte) (text []byte, isText bool, err error) {
	order := byteOrder(data)
	if order == nil {
		return nil, false, nil
	}
	text = make([]byte, 0, len(data)/2+utf8.UTFMax)
	for len(data) >= 2 {
		r := rune(order.Uint16(data))
		data = data[2:]
		if utf16.IsSurrogate(r) && len(data) >= 2 {
			if both := utf16.DecodeRune(r, rune(order.Uint16(data))); both != utf8.RuneError {
				r, data = both, data[2:]
			}
		}
		if text = utf8.AppendRune(text, r); len(text) > MaxFile {
			return nil, true, fmt.Errorf("larger than %d MiB as UTF-8", MaxFile>>20)
		}
	}
	return text, true, nil
}

// byteOrder tells text in UTF-16 by its mark, or by the zeros between its first
// characters; nil if data is none.
func byteOrder(data []byte) binary.ByteOrder {
	const enough = 16 // bytes
	if len(data) < 2 {
		return nil
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if order.Uint16(data) == 0xfeff {
			return order
		}
		isASCII := len(data) >= enough
		for i := 0; i < enough && isASCII; i += 2 {
			c := order.Uint16(data[i:])
			isASCII = c >= ' ' && c <= '~' || c == '\n' || c == '\r' || c == '\t'
		}
		if isASCII {
			return order
		}
	}
	return nil
}
