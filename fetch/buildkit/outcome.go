package buildkit

import (
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

// isCancellation tells whether an error says that the build was called off,
// rather than that something in it failed.
func isCancellation(message string) bool {
	return strings.HasSuffix(message, "context canceled") || strings.Contains(message, "Canceled: context canceled") ||
		strings.Contains(message, "code = Canceled")
}

// notEnded is the error of a step that was going on when its build ended. Its
// state is StepFailed, as it ran and has no result, but it is not at fault.
const notEnded = detect.NotEnded

// stepError is the error of a step whose vertex has this one.
func stepError(message string) string {
	if isCancellation(message) {
		message = notEnded + ": " + message
	}
	return fetch.Clean(message, MaxName)
}

// outcomeOf is how a build ended that ended with this error.
func outcomeOf(message string) detect.Outcome {
	switch {
	case message == "":
		return detect.OK
	case isCancellation(message):
		return detect.Cancelled
	}
	return detect.Failed
}

// fails tells whether an error of a vertex is one of the build: a cache that
// cannot be read or written is not.
func (k kind) fails() bool { return k != cacheImport && k != cacheExport }
