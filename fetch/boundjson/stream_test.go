package boundjson

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// The elements of a list come one by one, and what breaks it off is told of after
// those that came whole.
func TestStream(t *testing.T) {
	for _, test := range []struct {
		name, in string
		names    []string
		want     string // elements, joined
		fails    bool
	}{
		{"plain", `{"data":[{"a":1},{"b":[2]},3]}`, []string{"data"}, `{"a":1} {"b":[2]} 3`, false},
		{"beside others", `{"x":{"data":[9]},"data":[1],"y":2}`, []string{"data"}, `1`, false},
		{"below", `{"result":{"m":null,"spans":[1,2]}}`, []string{"result", "spans"}, `1 2`, false},
		{"none", `{"errors":null}`, []string{"data"}, ``, false},
		{"null", `{"data":null,"errors":[]}`, []string{"data"}, ``, false},
		{"cut off", `{"data":[{"a":1},{"b`, []string{"data"}, `{"a":1}`, true},
		{"cut off between", `{"data":[{"a":1},`, []string{"data"}, `{"a":1}`, true},
		{"empty", ``, []string{"data"}, ``, true},
		{"a list", `[1]`, []string{"data"}, ``, true},
		{"no list", `{"data":{}}`, []string{"data"}, ``, true},
		{"too large", `{"data":[1,"` + strings.Repeat("x", 1000) + `"]}`, []string{"data"}, `1`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			var failed error
			for element, err := range Stream(iotest.OneByteReader(strings.NewReader(test.in)), 100, test.names...) {
				if err != nil {
					failed = err
					break
				}
				got = append(got, string(element))
			}
			if s := strings.Join(got, " "); s != test.want || (failed != nil) != test.fails {
				t.Errorf("elements %q, error %v; want %q", s, failed, test.want)
			}
			if errors.Is(failed, io.EOF) {
				t.Error("what is cut off reads as its end")
			}
		})
	}
}

func FuzzStream(f *testing.F) {
	for _, seed := range []string{`{"data":[{"a":1}]}`, `{"x":[[]],"data":null}`, `{"data":[`, `[`, `{"a":{"data":[1]}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for element, err := range Stream(strings.NewReader(in), 1<<10, "data") {
			if err == nil && !strings.Contains(in, string(element)) {
				t.Fatalf("%q is not in %q", element, in)
			}
			if err == nil && len(element) > 2<<10 {
				t.Fatalf("an element of %d bytes", len(element))
			}
		}
	})
}
