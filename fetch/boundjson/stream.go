package boundjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// A document that is read as it comes, and is not what it should be.
var errShape = errors.New("is not the JSON that was expected")

// Stream yields the elements of the list that is found in the document in r by
// following the names of fields, each as soon as it has come whole. Of the
// document no more than one element is in memory, which may have most bytes. A
// document without the list yields nothing.
func Stream(r io.Reader, most int64, names ...string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		bounded := &io.LimitedReader{R: r, N: most}
		d := json.NewDecoder(bounded)
		fail := func(err error) {
			switch {
			case bounded.N <= 0:
				err = fmt.Errorf("one value has more than %d MiB", most>>20)
			case errors.Is(err, io.EOF):
				err = io.ErrUnexpectedEOF
			}
			yield(nil, err)
		}
		open := json.Delim('{')
		for i := 0; ; i++ {
			token, err := d.Token()
			if err != nil {
				fail(err)
				return
			}
			if token == nil && i > 0 { // null
				return
			}
			if i == len(names) {
				open = '['
			}
			if token != open {
				fail(errShape)
				return
			}
			if i == len(names) {
				break
			}
			found, err := seek(d, names[i], func() { bounded.N = most })
			if err != nil {
				fail(err)
				return
			}
			if !found {
				return
			}
		}
		for d.More() {
			var element json.RawMessage
			if err := d.Decode(&element); err != nil {
				fail(err)
				return
			}
			bounded.N = most
			if !yield(element, nil) {
				return
			}
		}
		if _, err := d.Token(); err != nil {
			fail(err)
		}
	}
}

// seek goes on to the value of a field of the object that d is in.
func seek(d *json.Decoder, name string, passed func()) (found bool, err error) {
	for d.More() {
		key, err := d.Token()
		if err != nil || key == name {
			return err == nil, err
		}
		var other json.RawMessage
		if err := d.Decode(&other); err != nil {
			return false, err
		}
		passed()
	}
	_, err = d.Token()
	return false, err
}
