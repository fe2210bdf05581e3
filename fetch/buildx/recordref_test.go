package buildx

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const ref, other = "1vwgtsjvrcklwk8zb85egcpn2", "j5s9rgs6h8fe2uxy5nzevzuqv"
	written := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	metadata := filepath.Join(t.TempDir(), "meta.json")
	if err := os.WriteFile(metadata, []byte(`{"buildx.build.ref": "r/r0/`+ref+`", "containerimage.digest": "sha256:00"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(metadata, written, written); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, in string
		want     RecordRef
	}{
		{"newest", "", RecordRef{}},
		{"newest of a builder", "ci/", RecordRef{Builder: "ci"}},
		{"ref", ref, RecordRef{Refs: []string{ref}}},
		{"the one before", "ci/^1", RecordRef{Builder: "ci", Refs: []string{"^1"}}},
		{"builder and ref", "my-ci.2/" + ref, RecordRef{Builder: "my-ci.2", Refs: []string{ref}}},
		{"as in metadata", "r/r0/" + ref, RecordRef{Builder: "r", Refs: []string{ref}}},
		{"several", "r/r0/" + ref + ",r/r1/" + other, RecordRef{Builder: "r", Refs: []string{ref, other}}},
		{"metadata file", "@" + metadata, RecordRef{Builder: "r", Refs: []string{ref}, Metadata: metadata, Written: written}},
		{"no metadata file", "@/no/such/file", RecordRef{Metadata: "/no/such/file"}},
		{"no name of one", "@", RecordRef{Metadata: "the metadata file"}},
		{"all", "*", RecordRef{All: true}},
		{"all of a builder", "ci/*", RecordRef{Builder: "ci", All: true}},
		{"metadata", `{"buildx.build.ref":"r/r0/` + ref + `"}`, RecordRef{Builder: "r", Refs: []string{ref}}},
		{
			"metadata of bake", `{"app":{"buildx.build.ref":"r/r0/` + ref + `"},"buildx.build.warnings":[{}],"db":{"buildx.build.ref":"r/r0/` + other + `"}}`,
			RecordRef{Builder: "r", Refs: []string{ref, other}},
		},
		{"one ref of two targets", `{"app":{"buildx.build.ref":"r/r0/` + ref + `"},"db":{"buildx.build.ref":"r/r0/` + ref + `"}}`, RecordRef{Builder: "r", Refs: []string{ref}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Parse(%q): %s", test.in, diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"-o/etc/passwd", "no name of a builder"},
		{"--all", "no ref"},
		{"r/--output=x", "no ref"},
		{"--debug/x", "no name of a builder"},
		{"r/-D/x", "no name of a builder"},
		{"$(id)", "no ref"},
		{"a b", "no ref"},
		{"x\n--all", "no ref"},
		{"x\x00", "no ref"},
		{"^", "no ref"},
		{"^-1", "no ref"},
		{"/x", "no name of a builder"},
		{"a/b/c/d", "not written"},
		{"a/x,b/y", "two builders"},
		{"x,", "empty ref"},
		{"x,--all", "no ref"},
		{strings.Repeat("x", 200), "no ref"},
		{strings.Repeat("x,", 200) + "x", "more than"},
		{"{}", "no buildx.build.ref"},
		{`{"buildx.build.ref":"r/r0/--all"}`, "no ref"},
		{`{"buildx.build.ref":7}`, "cannot be"},
		{`{"buildx`, "cut off"},
		{"@.", "."},
		{"x,*", "are all records"},
		{"*,x", "are all records"},
		{"r/r0/*", "no ref"},
		{"a*", "no ref"},
		{"*/x", "no name of a builder"},
	} {
		if p, err := Parse(test.in); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", test.in, p, err, test.want)
		}
	}
}

// No text, however it is written, makes an argument that the command could take
// for an option or for more than one.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "r/", "r/r0/1vwgtsjvrcklwk8zb85egcpn2", "a,b", "--all", `{"buildx.build.ref":"r/r0/x"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "@") {
			return
		}
		p, err := Parse(text)
		if err != nil {
			return
		}
		for _, value := range append(p.Refs, p.Builder) {
			if strings.HasPrefix(value, "-") || strings.ContainsAny(value, " \t\r\n\x00/\\\"'$;&|") {
				t.Errorf("Parse(%q) lets %q through", text, value)
			}
		}
	})
}
