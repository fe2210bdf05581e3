package boundjson

import (
	"bytes"
	"encoding/json"
	"iter"
)

// The functions below yield parts of data where they stand: a large document is
// decoded piece by piece, and no copy of it is made.

const space = " \t\r\n"

// Values yields the JSON values that follow each other in data, each of them
// valid, or as the last the error of one that is not.
func Values(data []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := CheckNesting(data); err != nil {
			yield(nil, err)
			return
		}
		for data = bytes.TrimLeft(data, space); len(data) > 0; data = bytes.TrimLeft(data, space) {
			end := valueEnd(data)
			if !json.Valid(data[:end]) {
				// Nothing is decoded: it is asked only for what is wrong.
				yield(nil, inWords(json.Unmarshal(data[:end], new(struct{}))))
				return
			}
			if !yield(data[:end], nil) {
				return
			}
			data = data[end:]
		}
	}
}

// Elements yields the elements of a valid list; of anything else, nothing.
func Elements(list []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if len(list) == 0 || list[0] != '[' {
			return
		}
		const between = space + ","
		for rest := bytes.TrimLeft(list[1:], between); len(rest) > 0 && rest[0] != ']'; rest = bytes.TrimLeft(rest, between) {
			end := valueEnd(rest)
			if !yield(rest[:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// Fields yields the fields of a valid object, their names as they are spelt; of
// anything else, nothing, or what is taken for fields until it makes no sense.
func Fields(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		if len(object) == 0 || object[0] != '{' {
			return
		}
		rest := object[1:]
		for {
			rest = bytes.TrimLeft(rest, space+",")
			if len(rest) == 0 || rest[0] != '"' {
				return
			}
			quote := Closing(rest, 0)
			if quote < 0 {
				return
			}
			name := string(rest[1:quote])
			if rest = bytes.TrimLeft(rest[quote+1:], space+":"); len(rest) == 0 {
				return
			}
			end := valueEnd(rest)
			if !yield(name, rest[:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// Closing is the index of the quote that ends the string begun at start, -1 if
// there is none.
func Closing(data []byte, start int) int {
	for i := start + 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// First is the JSON value that data begins with, all of data if that has no end.
func First(data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	return data[:valueEnd(data)]
}

// valueEnd is the length of the value that data begins with: all of data if the
// value is cut off. It is at least 1, so that every walk ends.
func valueEnd(data []byte) int {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
			switch {
			case depth == 0:
				return i + 1
			case depth < 0:
				return max(1, i) // it closes what the value is in
			}
			continue
		case '"':
			if i = Closing(data, i); i < 0 {
				return len(data)
			}
			if depth == 0 {
				return i + 1
			}
			continue
		}
		if depth == 0 && i > 0 && bytes.IndexByte([]byte(space+",:"), data[i]) >= 0 {
			return i
		}
	}
	return len(data)
}
