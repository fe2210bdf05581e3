// Package boundjson decodes JSON that strangers wrote. What a decoded value can
// cost is known before any of it is decoded: sixty bytes of an object may stand
// for two, so that the size of the text bounds nothing.
package boundjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// What one decoded value may hold. Each object costs up to some 300 bytes, and
// its list twice that while it grows.
const (
	MaxNesting = 200       // of brackets in each other
	MaxObjects = 1_000_000 // objects
	MaxValues  = 4_000_000 // objects, lists, and what commas separate
)

// ErrNesting tells of brackets that are nested too deeply.
var ErrNesting = fmt.Errorf("nested more than %d deep", MaxNesting)

// Unmarshal is json.Unmarshal for data within the bounds. Its errors are in the
// words of a file.
func Unmarshal(data []byte, v any) error {
	if err := Check(data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return inWords(err)
	}
	return nil
}

// Check makes sure that data is within the bounds of one value. Whether it is
// JSON at all it leaves to a decoder, which says that better.
func Check(data []byte) error { return check(data, MaxObjects, MaxValues) }

// CheckNesting makes sure only that brackets are not nested so deeply that a
// recursive decoder runs out of stack.
func CheckNesting(data []byte) error { return check(data, len(data), len(data)) }

func check(data []byte, objects, values int) error {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth > MaxNesting {
				return ErrNesting
			}
			if data[i] == '{' {
				objects--
			}
			values--
		case ',':
			values--
		case '}', ']':
			depth--
		case '"':
			end := Closing(data, i)
			if end < 0 {
				return nil
			}
			i = end
		}
		if objects < 0 {
			return fmt.Errorf("more than %d objects in one", MaxObjects)
		}
		if values < 0 {
			return fmt.Errorf("more than %d values in one", MaxValues)
		}
	}
	return nil
}

// inWords puts what encoding/json found wrong in the words of a file.
func inWords(err error) error {
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := kind.Field
		if field == "" {
			field = "the value"
		}
		return fmt.Errorf("%s is a %s, which it cannot be", field, kind.Value)
	}
	if text := err.Error(); text == "unexpected end of JSON input" || strings.Contains(text, "unexpected EOF") {
		return errors.New("cut off: it ends in the middle")
	}
	return fmt.Errorf("bad JSON: %w", err)
}
