package dockerfile

import (
	"strings"
	"testing"
)

const scanned = "# syntax=docker/dockerfile:1\n" + // 1
	"ARG BASE=3.20\n" +
	"FROM --platform=$BUILDPLATFORM golang:1.26 AS Build\n" + // 3
	"# tools\n" +
	"RUN apt-get update && \\\n" + // 5
	"    # the compiler\n" +
	"\n" +
	"    apt-get install -y gcc\n" +
	"run make VERSION=${VERSION} \\\r\n" + // 9
	"  all\r\n" +
	"RUN <<EOT\n" + // 11
	"set -ex\n" +
	"RUN make trap\n" +
	"EOT\n" +
	"RUN <<-'EOT' bash -s x\n" + // 15
	"\tset -ex\n" +
	"\tEOT\n" +
	"COPY <<a.txt <<b.txt /etc/\n" + // 18
	"FROM trap\n" +
	"a.txt\n" +
	"b\n" +
	"b.txt\n" +
	"RUN make test\n" + // 23
	"RUN make test\n" +
	"FROM alpine:$BASE\n" + // 25
	"RUN echo \"<<EOT is no document\"\n" + // 26
	"COPY --from=build /app /app\n" +
	"FROM build AS lint\n" + // 28
	"RUN make lint\n" +
	"RUN echo pre\\\n" + // 30
	"fix\n"

func TestFind(t *testing.T) {
	instructions := Scan(scanned)
	tests := []struct {
		name string
		line int // 0 for none
	}{
		{"[build 1/8] FROM docker.io/library/golang:1.26@sha256:" + strings.Repeat("0a", 32), 3},
		{"[linux/arm64 build 2/8] RUN apt-get update &&     apt-get install -y gcc", 5},
		{"[build 3/8] RUN make VERSION=1.2.3   all", 9},
		{"[build 4/8] RUN <<EOT (set -ex...)", 11},
		{"[build 5/8] RUN <<-'EOT' bash -s x", 15},
		{"[build 6/8] COPY <<a.txt <<b.txt /etc/", 18},
		{"[build 7/8] RUN make test", 23}, // equals are told apart by their numbers
		{"[build 8/8] RUN make test", 24},
		{"[build 8/9] RUN make test", 0}, // of another Dockerfile
		{"[stage-1 1/3] FROM docker.io/library/alpine:3.20", 25},
		{"[stage-1 2/3] RUN echo \"<<EOT is no document\"", 26},
		{"[stage-1 3/3] COPY --from=build /app /app", 27},
		{"[lint 1/2] RUN make lint", 29},
		{"[lint 2/2] RUN echo prefix", 30},
		{"[stage-1 2/3] RUN make lint", 0}, // of another stage
		{"[build 2/8] RUN make trap", 0},
		{"[build 3/8] RUN make VERSION=1.2.3 any", 0},
		{"[internal] load build context", 0},
		{"exporting to image", 0},
	}
	for _, tt := range tests {
		if in, ok := Find(instructions, tt.name); in.Line != tt.line || ok != (tt.line > 0) {
			t.Errorf("Find(%q) is %+v, %v, want line %d", tt.name, in, ok, tt.line)
		}
	}
}

// Where two may be meant, none is.
func TestFindOneOfSeveral(t *testing.T) {
	instructions := Scan("FROM a\nRUN make $X\nRUN make $Y\nFROM a\nRUN make all\nRUN echo\nFROM $A AS b\nRUN make\nRUN make\n")
	for _, name := range []string{"[1/3] RUN make test", "[stage-1 1/3] FROM a", "[b 2/3] RUN make"} {
		if in, ok := Find(instructions, name); ok {
			t.Errorf("Find(%q) is %+v", name, in)
		}
	}
	if in, _ := Find(instructions, "[stage-1 2/3] RUN make all"); in.Line != 5 {
		t.Errorf("what stands there as it is was not found: %+v", in)
	}
}

func TestScanOtherEscape(t *testing.T) {
	in := Scan("\ufeff# escape=`\nFROM windows AS w\nRUN dir C:\\ `\n  && echo\nRUN echo C:\\\nRUN last\n")
	if len(in) != 4 || in[1].Text != `RUN dir C:\ && echo` || in[3].Line != 6 {
		t.Errorf("%+v", in)
	}
}

// Whatever a Dockerfile holds, instructions stand in order on lines of it, and are found
// by nothing but what they say.
func FuzzScan(f *testing.F) {
	f.Add(scanned, "[build 7/8] RUN make test")
	f.Add("# escape=`\nFROM a AS b\nRUN <<EOT `\n x\n", "[b 2/2] RUN <<EOT x")
	f.Add("RUN <<A <<B\nA\nB", "RUN")
	f.Fuzz(func(t *testing.T, text, name string) {
		instructions := Scan(text)
		lines := strings.Count(text, "\n") + 1
		last := 0
		for _, in := range instructions {
			if in.Line <= last || in.Line > lines || in.Index > in.Count || in.Index < 0 || in.Text == "" {
				t.Fatalf("%+v comes after line %d of %d", in, last, lines)
			}
			last = in.Line
		}
		if in, ok := Find(instructions, name); ok && in.Stage != ParseName(name).Stage {
			t.Errorf("%q is found as %+v", name, in)
		}
	})
}
