package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"testing"
)

// Official images, of the versions that are built from source elsewhere.
const (
	jaegerImage   = "jaegertracing/jaeger:2.13.0"
	buildkitImage = "moby/buildkit:v0.25.2"
	baseImage     = "busybox:1.37.0"
)

// startDocker starts what is missing as containers. BuildKit shares the network
// of the host, where it finds the registry and Jaeger.
func (s *stack) startDocker(t *testing.T) {
	t.Helper()
	s.about = "Docker, " + jaegerImage + ", " + buildkitImage
	s.buildx = []string{"docker", "buildx"}
	s.base = "FROM " + cmp.Or(os.Getenv("E2E_BASE_IMAGE"), baseImage) + " AS base\n"
	if s.otlp == "" {
		otlp := freeAddress(t)
		s.grpc, s.http, s.otlp = freeAddress(t), freeAddress(t), "http://"+otlp
		name := fmt.Sprintf("buildregress-e2e-%d", os.Getpid())
		s.run(t, "docker", "run", "--detach", "--rm", "--name", name, "--env", "JAEGER_LISTEN_HOST=0.0.0.0",
			"--publish", s.grpc+":16685", "--publish", s.http+":16686", "--publish", otlp+":4317", jaegerImage)
		s.killJaeger = func() { s.try(context.WithoutCancel(s.ctx), s.dir, nil, "docker", "kill", name) }
		t.Cleanup(s.killJaeger)
	}
	if s.builder = os.Getenv("E2E_BUILDER"); s.builder == "" {
		s.builder = "e2e"
		s.run(t, "docker", "buildx", "create", "--name", s.builder, "--driver", "docker-container",
			"--driver-opt", "image="+buildkitImage+",network=host",
			"--driver-opt", "env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+s.otlp,
			"--buildkitd-config", s.buildkitConfig(t))
		t.Cleanup(func() {
			s.try(context.WithoutCancel(s.ctx), s.dir, nil, "docker", "buildx", "rm", "--force", s.builder)
		})
	}
}
