package fetch

import (
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

func TestRepositoryName(t *testing.T) {
	for address, want := range map[string]string{
		"":                                   "",
		"o/r":                                "o/r",
		"https://github.com/o/r":             "o/r",
		"https://u:p@git.example/g/s/r.git/": "g/s/r",
		"git@github.com:o/r.git":             "o/r",
		"ssh://git@github.com:22/o/r.git":    "o/r",
		"https://github.com/o/r.git#main":    "o/r",
		"(deleted)":                          "(deleted)",
	} {
		if got := RepositoryName(address); got != want || RepositoryName(got) != want {
			t.Errorf("RepositoryName(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestNormalize(t *testing.T) {
	for pipeline, want := range map[string]string{
		"https://github.com/o/r Dockerfile":        "o/r Dockerfile",
		"https://u:p@git.example/g/r.git#main a/D": "g/r a/D",
		"git@github.com:o/r.git Dockerfile web":    "o/r Dockerfile web",
		"o/r Dockerfile":                           "o/r Dockerfile",
		"o/r/ci/image":                             "o/r/ci/image",
		"my own name":                              "my own name",
	} {
		b := timeline.Build{Pipeline: pipeline}
		if Normalize(&b); b.Pipeline != want {
			t.Errorf("%q: %q, want %q", pipeline, b.Pipeline, want)
		}
	}
}
