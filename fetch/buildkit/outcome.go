package buildkit

import (
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// isCancellation tells whether an error says that the build was called off,
// rather than that something in it failed.
func isCancellation(message string) bool {
	return strings.HasSuffix(message, "context canceled") || strings.Contains(message, "Canceled: context canceled") ||
		strings.Contains(message, "code = Canceled")
}

// notEnded is the error of a step that was going on when its build ended.
const notEnded = "did not end"

// failure is what became of a step whose vertex has an error.
func failure(message string) (timeline.State, string) {
	state := timeline.StepFailed
	if isCancellation(message) {
		state, message = timeline.Interrupted, notEnded+": "+message
	}
	return state, fetch.Clean(message, MaxName)
}

// outcomeOf is how a build ended that ended with this error.
func outcomeOf(message string) timeline.Outcome {
	switch {
	case message == "":
		return timeline.OK
	case isCancellation(message):
		return timeline.Cancelled
	}
	return timeline.Failed
}

// fails tells whether an error of a vertex is one of the build: a cache that
// cannot be read or written is not.
func (k kind) fails() bool { return k != cacheImport && k != cacheExport }
