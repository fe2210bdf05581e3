package stepname

import (
	"slices"
	"testing"
)

// Whatever a report calls a step finds it, and what could be several finds none.
func TestFind(t *testing.T) {
	steps := []Name{
		{"[-] FROM docker.io/library/node:<version>", "[1/5] FROM docker.io/library/node:20.1.3@sha256:" + hex64},
		{"[build] RUN --mount=type=cache,target=/root npm ci", "[build 2/5] RUN --mount=type=cache,target=/root npm ci"},
		{"[build] RUN cpu <version>", "[build 3/5] RUN cpu 0.6"},
		{"[build] COPY *.go ./", "[build 4/5] COPY *.go ./"},
		{"[linux/arm64 build] RUN make -j4 all", "[linux/arm64 build  5/5] RUN make  -j4 all"},
		{"[-] exporting layers", "exporting layers"},
		{"[wait] cache key of COPY *.go ./ (build)", "cache key of COPY *.go ./ (build)"},
	}
	for _, test := range []struct {
		said string
		want []int
	}{
		{"[build] RUN cpu 0.6", []int{2}},
		{"[build 3/5] RUN cpu 0.6", []int{2}},
		{"RUN cpu 0.6", []int{2}},
		{"`RUN npm ci`", []int{1}}, // the mount is not shown
		{"FROM docker.io/library/node:20.1.3", []int{0}},
		{"COPY *.go ./", []int{3}},
		{"RUN make -j4 all", []int{4}},
		{"[linux/arm64 build  5/5] RUN make  -j4 all", []int{4}},
		{"RUN make…all", []int{4}}, // a name that was cut
		{"npm", []int{1}},
		{"go ./", []int{3}}, // and not what it waited for
		{"cache key of", []int{6}},
		{"exporting", []int{5}},
		{"*RUN*", []int{1, 2, 4}},
		{"RUN", nil}, // of three
		{"RUN cpu 9", nil},
		{"RUN cpu 2.6", []int{2}}, // of another build
		{"[build 7/9] RUN cpu 2.6", []int{2}},
		{"[other 7/9] RUN cpu 2.6", nil},
		{"", nil},
	} {
		if got := Find(test.said, steps); !slices.Equal(got, test.want) {
			t.Errorf("Find(%q) = %d, want %d", test.said, got, test.want)
		}
	}
	if got := Nearest("RUN npm install", steps, 2); len(got) != 2 || got[0] != "RUN npm ci" {
		t.Errorf("Nearest = %q", got)
	}
}

const hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
