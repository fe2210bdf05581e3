package buildx

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/file"
)

// What built is in no record: the builder is asked, once, and what it says is true of builds
// that have just been made.

const (
	// askedWithin is how long the builder may take to say what it is.
	askedWithin = 5 * time.Second
	// askedFor is how long ago a build may have ended: a builder that was updated since
	// has other versions than the one that built.
	askedFor = time.Hour
)

// describe says of builds what the builder is, and of those that it made on this machine
// what that is. A builder that does not answer is no error.
func (s *Source) describe(ctx context.Context, builds []timeline.Build) {
	isRecent := func(b *timeline.Build) bool {
		age := s.Now().Sub(b.Start.Add(b.Duration))
		return b.Facts != nil && age >= -askedFor && age <= askedFor
	}
	if s.Host == nil || s.Now == nil || !slices.ContainsFunc(builds, func(b timeline.Build) bool { return isRecent(&b) }) {
		return
	}
	ctx, stop := context.WithTimeout(ctx, askedWithin)
	defer stop()
	line := []string{"inspect"}
	if s.ref.Builder != "" {
		line = append(line, s.ref.Builder) // see nameForm
	}
	builder, local := timeline.Builder{}, false
	if data, err := runAny(ctx, line); err == nil {
		builder, local = inspected(data, s.DockerHost)
	}
	if data, err := runAny(ctx, []string{"version"}); err == nil {
		builder.Buildx = versionIn(data)
	}
	var here timeline.Machine
	if local {
		builder.Runner, here = s.Host()
	}
	for i := range builds {
		b := &builds[i]
		if !isRecent(b) {
			continue
		}
		facts := *b.Facts
		if builder != (timeline.Builder{}) {
			own := builder
			facts.Builder = &own
		}
		b.Facts = &facts
		if local {
			b.Machine = withHost(b.Machine, here)
		}
	}
}

// withHost is what is known of a machine: what was measured, and what it is itself.
func withHost(measured *timeline.Machine, here timeline.Machine) *timeline.Machine {
	if measured == nil {
		if here == (timeline.Machine{}) {
			return nil
		}
		return &here
	}
	m := *measured
	m.Model = here.Model
	if m.CPUs == 0 {
		m.CPUs = here.CPUs
	}
	if m.Memory == 0 {
		m.Memory = here.Memory
	}
	return &m
}

// madeUp are names of nodes that are made for one job.
var madeUp = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}|[0-9a-f]{12}`)

// inspected is what docker buildx inspect says of a builder, and whether it is on this
// machine: a line for each fact, first of the builder and then of each of its nodes.
func inspected(data []byte, dockerHost string) (b timeline.Builder, local bool) {
	nodes := false
	var versions, names []string
	places, here := 0, 0
	add := func(list []string, value string) []string {
		if value == "" || len(list) == 4 || slices.Contains(list, value) {
			return list
		}
		return append(list, value)
	}
	for line := range bytes.Lines(data[:min(len(data), 256<<10)]) {
		key, value, ok := strings.Cut(string(line), ":")
		if !ok || key != strings.TrimSpace(key) {
			continue // what is indented is a part
		}
		value = fetch.Clean(strings.Join(strings.Fields(value), " "), timeline.MaxFact)
		switch key {
		case "Driver":
			if !nodes {
				b.Driver = value
			}
		case "Nodes":
			nodes = true
		case "Name":
			if nodes && !madeUp.MatchString(value) {
				names = add(names, value)
			}
		case "Endpoint":
			places++
			if isHere(value, dockerHost) {
				here++
			}
		case "BuildKit version", "Buildkit version", "Buildkit", "BuildKit":
			versions = add(versions, value)
		}
	}
	b.BuildKit, b.Node = strings.Join(versions, ", "), strings.Join(names, ", ")
	return b, places > 0 && places == here && b.Driver != "kubernetes" && b.Driver != "cloud"
}

// isHere tells whether an endpoint of a builder is on this machine, where Docker is.
func isHere(endpoint, dockerHost string) bool {
	switch endpoint {
	case "default", "rootless", "desktop-linux":
		return dockerHost == "" || isHere(dockerHost, "")
	}
	return strings.HasPrefix(endpoint, "unix://") || strings.HasPrefix(endpoint, "npipe://")
}

// versionIn is the version in "github.com/docker/buildx v0.29.1 a32761ae".
func versionIn(data []byte) string {
	line, _, _ := strings.Cut(string(data[:min(len(data), 1<<10)]), "\n")
	if words := strings.Fields(line); len(words) >= 2 {
		return fetch.Clean(words[1], timeline.MaxFact)
	}
	return ""
}

// runAny runs the first Buildx that is there.
func runAny(ctx context.Context, line []string) ([]byte, error) {
	for _, command := range commands() {
		data, err := run(ctx, file.MaxFile, append(command, line...))
		if err == nil || ctx.Err() != nil {
			return data, err
		}
	}
	return nil, fmt.Errorf("docker buildx %s: %w", line[0], ErrNoCommand)
}
