package buildx

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/google/go-cmp/cmp"
)

// inspectedBuilder is what Buildx 0.29 says of a builder.
const inspectedBuilder = `Name:          ci
Driver:        docker-container
Last Activity: 2026-11-27 16:00:00 +0000 UTC

Nodes:
Name:                  ci0
Endpoint:              unix:///var/run/docker.sock
Status:                running
BuildKit daemon flags: --allow-insecure-entitlement=network.host
BuildKit version:      v0.25.2
Platforms:             linux/amd64, linux/amd64/v2
Labels:
 org.mobyproject.buildkit.worker.executor:         oci
 Name: not a node
GC Policy rule#0:
 All:            false
`

func TestInspected(t *testing.T) {
	replace := func(old, with string) string { return strings.ReplaceAll(inspectedBuilder, old, with) }
	for _, test := range []struct {
		name, text string
		want       timeline.Builder
		local      bool
	}{
		{"a container here", inspectedBuilder, timeline.Builder{BuildKit: "v0.25.2", Driver: "docker-container", Node: "ci0"}, true},
		{"an older Buildx", replace("BuildKit version:", "Buildkit:"), timeline.Builder{BuildKit: "v0.25.2", Driver: "docker-container", Node: "ci0"}, true},
		{"made for a job", replace("ci0", "builder-5f2b1e8a-2c3d-4e5f-8a9b-0c1d2e3f40510"), timeline.Builder{BuildKit: "v0.25.2", Driver: "docker-container"}, true},
		{"Docker's own", replace("unix:///var/run/docker.sock", "default"), timeline.Builder{BuildKit: "v0.25.2", Driver: "docker-container", Node: "ci0"}, true},
		{"elsewhere", replace("unix:///var/run/docker.sock", "tcp://10.0.0.1:1234"), timeline.Builder{BuildKit: "v0.25.2", Driver: "docker-container", Node: "ci0"}, false},
		{"two nodes", inspectedBuilder + "\nName: ci1\nEndpoint: ssh://x\nBuildKit version: v0.24.0\n", timeline.Builder{BuildKit: "v0.25.2, v0.24.0", Driver: "docker-container", Node: "ci0, ci1"}, false},
		{"nothing", "", timeline.Builder{}, false},
	} {
		got, local := inspected([]byte(test.text), "")
		if diff := cmp.Diff(test.want, got); diff != "" || local != test.local {
			t.Errorf("%s: local %v, %s", test.name, local, diff)
		}
	}
	if _, local := inspected([]byte(replace("unix:///var/run/docker.sock", "default")), "ssh://builder.example"); local {
		t.Error("a Docker elsewhere is here")
	}
}

// FuzzInspected fuzzes what a builder says of itself, in which others may have a say.
func FuzzInspected(f *testing.F) {
	f.Add([]byte(inspectedBuilder))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, _ := inspected(data, "default")
		b.Buildx = versionIn(data)
		for _, text := range []string{b.BuildKit, b.Buildx, b.Driver, b.Node} {
			if len(text) > 5*timeline.MaxFact || !utf8.ValidString(text) {
				t.Errorf("%q", text)
			}
		}
	})
}

// The builder is asked of builds that were just made, and by who wants to know.
func TestBuilderIsAsked(t *testing.T) {
	f := builderOf(t, 0, 1)
	t.Setenv("FAKE_NEWEST", f.refs[1])
	host := func() (string, timeline.Machine) {
		return "ubuntu24 1", timeline.Machine{CPUs: 4, Model: "EPYC", Memory: 1}
	}
	builds, _, err := New(RecordRef{}, Options{}).Builds(t.Context(), fetch.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	made := builds[0].Start.Add(builds[0].Duration)
	if builds[0].Facts.Builder != nil || strings.Contains(f.ran(t), "inspect") {
		t.Errorf("asked, though nobody wants to know: %s", f.ran(t))
	}
	at := func(now time.Time) timeline.Build {
		builds, _, err := New(RecordRef{Builder: "ci"}, Options{Host: host, Now: func() time.Time { return now }}).Builds(t.Context(), fetch.Selector{})
		if err != nil {
			t.Fatal(err)
		}
		return builds[0]
	}
	if b := at(made.Add(2 * time.Hour)); b.Facts.Builder != nil || strings.Contains(f.ran(t), "inspect") {
		t.Errorf("asked of an old build: %s", f.ran(t))
	}
	t.Setenv("FAKE_INSPECT", inspectedBuilder)
	b := at(made.Add(time.Minute))
	want := &timeline.Builder{BuildKit: "v0.25.2", Buildx: "v0.29.1", Driver: "docker-container", Node: "ci0", Runner: "ubuntu24 1"}
	if diff := cmp.Diff(want, b.Facts.Builder); diff != "" {
		t.Error(diff)
	}
	if b.Machine.Model != "EPYC" || b.Machine.Memory == 1 || b.Machine.CPUWait == nil {
		t.Errorf("the machine is %+v", b.Machine)
	}
	if !slices.Contains(strings.Split(f.ran(t), "\n"), `buildx ["inspect" "ci"]`) {
		t.Errorf("ran %s", f.ran(t))
	}
	// One that does not answer keeps nobody from the build.
	t.Setenv("FAKE_INSPECT", "")
	if b := at(made); b.Facts == nil || b.Facts.Builder == nil || b.Facts.Builder.BuildKit != "" || b.Machine.Model != "" {
		t.Errorf("of a builder that does not answer: %+v, %+v", b.Facts.Builder, b.Machine)
	}
}
