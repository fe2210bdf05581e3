//go:build record

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The builds of testdata/story: those of an image whose build was slow for three reasons, which
// were mended one after the other, until a change made it slow again for a fourth.

// chapter is how many builds there are before the next change.
const chapter = 8

// story are the files that a chapter changes.
var story = []map[string]string{
	{
		"Dockerfile":    storyDockerfile("tools", "libraries"),
		"src/kilobytes": "4000\n",
		"src/units":     "4\n",
	},
	{"Dockerfile": storyDockerfile("tools-mirror", "libraries")},
	{"Dockerfile": storyDockerfile("tools-mirror", "libraries-mirror")},
	{"src/kilobytes": "100\n"},
	{"src/units": "24\n"},
}

func storyDockerfile(tools, libraries string) string {
	return `FROM 127.0.0.1:5055/box:1 AS build
COPY src /src
RUN wget -q -O /tools http://127.0.0.1:5056/` + tools + `
RUN wget -q -O /libraries http://127.0.0.1:5056/` + libraries + `
RUN work "$(cat /src/units)" && head -c "$(cat /src/kilobytes)000" /dev/urandom >/app

FROM 127.0.0.1:5055/box:1
COPY --from=build /app /app
`
}

// TestRecordStory makes them anew.
func TestRecordStory(t *testing.T) {
	if *causesDir == "" {
		t.Fatal("-causes says no folder")
	}
	out, err := filepath.Abs(*causesDir)
	if err != nil {
		t.Fatal(err)
	}
	r := startRecorder(t)
	for _, name := range []string{"tools", "libraries"} {
		r.packages[name] = r.packages["data"][:1<<14]
		r.packages[name+"-mirror"] = r.packages[name]
	}
	p := &project{
		name: "story", cold: true, files: map[string]string{"README.md": "The story.\n"},
		flags: func(n int) []string {
			return []string{"--tag", fmt.Sprintf("%s/story:%d", causesRegistry, n), "--output", "type=registry"}
		},
	}
	r.init(t, p)
	if r.labels, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	defer r.labels.Close()
	for n := range chapter * len(story) {
		c := &change{Record: fmt.Sprintf("%02d.dockerbuild", n), Set: "main", Branch: "main"}
		if n%chapter == 0 {
			c.files = story[n/chapter]
		}
		c.before = func(r *recorder, _ *testing.T) func() {
			r.index.set(&brakeRule{takes: 2500 * time.Millisecond, match: func(q *http.Request) bool {
				return q.URL.Path == "/tools" || q.URL.Path == "/libraries"
			}})
			r.registry.set(&brakeRule{takes: 3 * time.Second, match: func(q *http.Request) bool {
				return q.Method != http.MethodGet && q.ContentLength > 1_000_000
			}})
			return nil
		}
		r.record(t, p, c, out)
	}
}
