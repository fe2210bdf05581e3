package traces

import (
	"errors"
	"fmt"
)

// ErrNoTrace is returned where a server has no trace of an id.
var ErrNoTrace = errors.New("no such trace")

// A Trouble is what went wrong with a server of traces.
type Trouble struct {
	Server string // its URL, without credentials
	Err    error
	Hint   string // what to do about it, may be ""
}

func (t *Trouble) Error() string { return fmt.Sprintf("%s: %v", t.Server, t.Err) }
func (t *Trouble) Unwrap() error { return t.Err }

// What is to be done where nothing is found.
const (
	hintNotFound = "the usual causes: the builder does not export its traces there (OTEL_EXPORTER_OTLP_ENDPOINT of BuildKit, --driver-opt env.… of docker buildx create); " +
		"the build was not tagged (OTEL_RESOURCE_ATTRIBUTES=cicd.pipeline.run.id=… on the docker buildx command); " +
		"or the trace has not arrived yet, in this store, for this tenant (--timeout allows for more time)"
	hintNoBranch = "say it when building: OTEL_RESOURCE_ATTRIBUTES=vcs.ref.head.name=BRANCH,cicd.pipeline.name=NAME,vcs.ref.head.revision=COMMIT docker buildx build …; or name builds that may be compared with --tag KEY=VALUE"
	hintNotEnded = "a build that was killed, or whose client exports nothing, has no end; --build and --trace-id name another"
)
