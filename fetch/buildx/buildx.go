// Package buildx gets build records out of a builder, by the command that people
// build with: docker buildx, or buildx where there is no docker.
package buildx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/file"
)

// What can be wrong with the command, the builder or the record.
var (
	ErrNoCommand = fetch.ErrorWithHint("no docker buildx on this machine: neither docker with its Buildx plugin nor buildx is on the PATH",
		"install Docker with Buildx 0.24 or newer; or give a SOURCE: a build record, a progress log (docker buildx build --progress=rawjson), a trace or a builds file")
	ErrOld = fetch.ErrorWithHint("this Buildx is too old: it knows no history export --finalize",
		"update Buildx to 0.24 or newer; or build with --progress=rawjson, and give that log")
	ErrNoRecord = fetch.ErrorWithHint("no such build record",
		"docker buildx history ls lists the records of the builder in use, and buildx:BUILDER/ takes the newest of another; a builder keeps about fifty, for two days")
	ErrBuilder = fetch.ErrorWithHint("the builder gave no record",
		"docker buildx ls lists the builders and whether they run; buildx:BUILDER/ names another; or give a SOURCE: a build record, a progress log, a trace or a builds file")
)

// Options are what a Source is opened with beside the records that are meant.
type Options struct {
	// Revision is the commit that is checked out here, "" if that is not known.
	Revision string
	// Progress is told that so many records are to be read, and returns what is to be
	// called after each of them and at the end; nil for nobody.
	Progress func(what string, n int) (read, done func())
	// Host tells what the machine is that we run on: the image of a runner, and what is known
	// of the hardware. It is asked once, as the builder is for its version, of builds that
	// were just made by the clock Now; nil for neither.
	Host func() (image string, machine timeline.Machine)
	Now  func() time.Time
	// DockerHost is the address of Docker that is in force instead of its own, "" for none.
	DockerHost string
}

// A Source finds the records that a RecordRef names.
type Source struct {
	ref RecordRef
	Options
}

// New makes a Source. Nothing is run before builds are asked for.
func New(ref RecordRef, o Options) *Source {
	if o.Progress == nil {
		o.Progress = func(string, int) (read, done func()) { return func() {}, func() {} }
	}
	return &Source{ref, o}
}

// buildRef is how BuildKit writes refs; targets and pipelines look otherwise.
var buildRef = regexp.MustCompile(`^[a-z0-9]{25}$`)

// Builds exports the records and reads them. Of what is wanted only a ref helps to
// find one, and only where the ref names none.
func (s *Source) Builds(ctx context.Context, w fetch.Selector) ([]timeline.Build, []error, error) {
	builds, problems, err := s.builds(ctx, w)
	s.describe(ctx, builds)
	return builds, problems, err
}

func (s *Source) builds(ctx context.Context, w fetch.Selector) ([]timeline.Build, []error, error) {
	ref := s.ref
	if len(ref.Refs) == 0 && buildRef.MatchString(w.Ref) {
		ref = RecordRef{Builder: ref.Builder, Refs: []string{w.Ref}}
	}
	switch {
	case ref.All:
		return s.all(ctx)
	case ref.Metadata != "":
		return s.described(ctx)
	}
	return export(ctx, ref)
}

// export exports records and reads them. No ref is the newest record.
func export(ctx context.Context, ref RecordRef) ([]timeline.Build, []error, error) {
	data, err := ask(ctx, ref.Builder, append([]string{"export", "--finalize"}, refArguments(ref.Refs)...))
	if err != nil {
		return nil, nil, err
	}
	if len(data) == 0 {
		return nil, nil, ErrBuilder
	}
	return file.Decode(ctx, "docker buildx history export", data)
}

// refArguments are refs as arguments of a command. What comes from outside can be no
// option: see refForm.
func refArguments(refs []string) []string {
	if len(refs) == 0 {
		return nil
	}
	return append([]string{"--"}, refs...)
}

// ask runs the first command that knows build records, of a builder or of that in use,
// and returns what it writes. The error is the one of the first that is there: it is
// what people mean.
func ask(ctx context.Context, builder string, args []string) ([]byte, error) {
	line := []string{"history"}
	if builder != "" {
		line = append(line, "--builder="+builder) // see nameForm
	}
	line = append(line, args...)
	var first error
	for _, command := range commands() {
		data, err := run(ctx, file.MaxFile, append(command, line...))
		if err == nil || ctx.Err() != nil {
			return data, err
		}
		if !errors.Is(err, ErrNoCommand) && !errors.Is(err, ErrOld) {
			return nil, err
		}
		if first == nil || errors.Is(first, ErrNoCommand) {
			first = err
		}
	}
	if first == nil {
		first = ErrNoCommand
	}
	return nil, first
}

// commandError is the error for a command that failed, by what it wrote. Buildx has no
// codes for it, so that it is told by its words.
func commandError(stderr []byte) error {
	text := string(stderr)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(text, part) {
				return true
			}
		}
		return false
	}
	switch {
	// Docker itself answers where it has no plugin, and takes our flags for its own.
	case has("is not a docker command", "unknown command: docker buildx", "docker [OPTIONS] COMMAND", "'docker --help'"):
		return ErrNoCommand
	case has("unknown flag", "unknown command", "unknown shorthand flag", "unrecognized command"):
		return ErrOld
	case has("no record found", "no records found"):
		return fmt.Errorf("%w: %s", ErrNoRecord, lastLine(stderr))
	case lastLine(stderr) == "":
		return ErrBuilder
	}
	return fmt.Errorf("%w: %s", ErrBuilder, lastLine(stderr))
}

// lastLine is the last line of what was written, in which the reason stands, credentials
// masked.
func lastLine(stderr []byte) string {
	const most = 500
	lines := bytes.Split(bytes.TrimSpace(stderr), []byte("\n"))
	line := bytes.TrimPrefix(bytes.TrimSpace(lines[len(lines)-1]), []byte("ERROR: "))
	return fetch.Clean(string(line), most)
}
