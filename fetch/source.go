// Package fetch gets builds from where they are recorded: each kind of origin is
// a package below it. This one holds what they share.
package fetch

import (
	"errors"
	"fmt"
	"time"

	"github.com/buildregress/buildregress/detect"
)

// ErrNoBuilds is returned where a source is readable and holds no build.
var ErrNoBuilds = errors.New("no build in it")

// A DecodeError says which input could not be read, and where in it.
type DecodeError struct {
	Name   string // file, and member of an archive, as "a.zip/b.dockerbuild"
	Offset int64  // byte at which it went wrong, -1 if unknown
	Err    error
}

func (e *DecodeError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%s: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("%s: at byte %d: %v", e.Name, e.Offset, e.Err)
}

func (e *DecodeError) Unwrap() error { return e.Err }

// A Query asks a store or a server for what one build is judged against.
type Query struct {
	Build          *detect.Build // the build to be judged: it and all later ones are left out
	BaseBranch     string
	BaseRepository string // "" accepts any repository; a fork's main is not main
	Window         int    // newest builds wanted whole; for rarer steps up to 10 times as many are searched
	Lookback       time.Duration
}
