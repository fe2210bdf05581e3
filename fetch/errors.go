package fetch

import (
	"fmt"

	"github.com/buildregress/buildregress/detect/redact"
)

// ErrNoBuilds is returned where a source is readable and holds no build.
var ErrNoBuilds = ErrorWithHint("no build in it",
	"give a .dockerbuild record, a progress log (docker buildx build --progress=rawjson), an OTLP or Jaeger trace, or a builds file")

// A DecodeError says which input could not be read, and where in it.
type DecodeError struct {
	Name   string // file, and member of an archive, as "a.zip/b.dockerbuild"
	Offset int64  // byte at which it went wrong, -1 if unknown
	Err    error
}

// Error masks name and error each by itself: "passwd: cut off" is no password.
func (e *DecodeError) Error() string {
	name, text := redact.Text(e.Name), redact.Text(e.Err.Error())
	if e.Offset < 0 {
		return fmt.Sprintf("%s: %s", name, text)
	}
	return fmt.Sprintf("%s: at byte %d: %s", name, e.Offset, text)
}

func (e *DecodeError) Unwrap() error { return e.Err }

// ErrorWithHint is a new error, unlike all others, that knows what people can do
// about it: it has a method Hint, which says so.
func ErrorWithHint(text, hint string) error { return &hintedError{text, hint} }

type hintedError struct{ text, hint string }

func (e *hintedError) Error() string { return e.text }
func (e *hintedError) Hint() string  { return e.hint }
