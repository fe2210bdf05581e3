package command

import (
	"fmt"
	"runtime/debug"
)

// RecoverPanic returns what do returns, or a *PanicError if it panics.
func RecoverPanic(do func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &PanicError{cause, string(debug.Stack())}
		}
	}()
	return do()
}

// A PanicError is a mistake of ours.
type PanicError struct {
	cause any
	Trace string // of the calls that led to it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("internal error: %v, please report", e.cause)
}
