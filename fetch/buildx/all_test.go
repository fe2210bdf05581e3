package buildx

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/file"
	"github.com/google/go-cmp/cmp"
)

const recordings = "../../testdata/builds/alpha/dockerbuild/"

// fakeBuilder acts as a builder whose records are in a folder, and what it tells of them
// in its file ls. What it exports is a zip of them.
func fakeBuilder(folder string, args []string) int {
	switch args[0] {
	case "inspect":
		fmt.Print(os.Getenv("FAKE_INSPECT"))
		return 0
	case "version":
		fmt.Println("github.com/docker/buildx v0.29.1 a32761ae")
		return 0
	}
	if slices.Contains(args, "ls") {
		list, err := os.ReadFile(filepath.Join(folder, "ls"))
		if err != nil {
			panic(err)
		}
		os.Stdout.Write(list)
		return 0
	}
	var refs []string
	if at := slices.Index(args, "--"); at >= 0 {
		refs = args[at+1:]
	} else {
		entries, err := os.ReadDir(folder)
		if err != nil {
			panic(err)
		}
		for _, e := range entries {
			if e.Name() != "ls" {
				refs = append(refs, e.Name())
			}
		}
		if !slices.Contains(args, "--all") {
			refs = []string{os.Getenv("FAKE_NEWEST")}
		}
	}
	w := zip.NewWriter(os.Stdout)
	for _, ref := range refs {
		data, err := os.ReadFile(filepath.Join(folder, ref))
		if err != nil {
			fmt.Fprintf(os.Stderr, "ERROR: no record found for ref %q\n", ref)
			return 1
		}
		member, err := w.Create(ref + ".dockerbuild")
		if err == nil {
			_, err = member.Write(data)
		}
		if err != nil {
			panic(err)
		}
	}
	w.Close()
	return 0
}

// A fakeRecords is a folder for fakeBuilder.
type fakeRecords struct {
	folder, list string
	refs         []string // in order of their start
}

// builderOf installs a builder that keeps the records with these numbers.
func builderOf(t *testing.T, numbers ...int) *fakeRecords {
	t.Helper()
	install(t, "buildx")
	f := &fakeRecords{folder: t.TempDir()}
	for _, n := range numbers {
		path := fmt.Sprintf("%s%03d.dockerbuild", recordings, n)
		list, _, err := file.Open(t.Context(), path, file.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := list[0]
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(f.folder, b.ID), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.refs = append(f.refs, b.ID)
		f.tell(t, "r/r0/"+b.ID, b.Start, b.Start.Add(b.Duration))
	}
	t.Setenv("FAKE_BUILDX", "builder:"+f.folder)
	t.Setenv("FAKE_ARGS", filepath.Join(f.folder+"-args"))
	t.Cleanup(func() { os.Remove(f.folder + "-args") })
	return f
}

// tell adds a line to what the builder tells of its records, the newest first.
func (f *fakeRecords) tell(t *testing.T, ref string, created, completed time.Time) {
	t.Helper()
	line := fmt.Sprintf(`{"ref":%q,"status":"?","created_at":%q`, ref, created.Format(time.RFC3339Nano))
	if !completed.IsZero() {
		line += fmt.Sprintf(`,"completed_at":%q`, completed.Format(time.RFC3339Nano))
	}
	f.list = line + "}\n" + f.list
	if err := os.WriteFile(filepath.Join(f.folder, "ls"), []byte(f.list), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *fakeRecords) ran(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(f.folder + "-args")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func idsOf(builds []timeline.Build) (ids []string) {
	for _, b := range builds {
		ids = append(ids, b.ID)
	}
	return ids
}

func numbers(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

// All records are read, in order, whatever else the builder tells.
func TestAll(t *testing.T) {
	f := builderOf(t, numbers(12)...)
	f.tell(t, "r/r0/aaaaaaaaaaaaaaaaaaaaaaaaa", time.Unix(1<<31, 0), time.Time{})
	f.list = "WARNING: something\n" + f.list + `{"ref":"r/r0/--all","completed_at":"2026-11-22T13:45:13Z"}` + "\n{\n"
	f.tell(t, "r/r0/$(id)", time.Unix(0, 0), time.Unix(1, 0))
	told, read := 0, 0
	builds, problems, err := New(RecordRef{All: true}, Options{Progress: func(_ string, n int) (func(), func()) {
		told = n
		return func() { read++ }, func() {}
	}}).Builds(t.Context(), fetch.Selector{})
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	if diff := cmp.Diff(f.refs, idsOf(builds)); diff != "" {
		t.Error(diff)
	}
	if told != 12 || read != 12 {
		t.Errorf("progress: %d of %d", read, told)
	}
	if ran := f.ran(t); strings.Count(ran, `"export"`) != 2 || strings.Contains(ran, "--all") || strings.Contains(ran, "id)") {
		t.Errorf("ran %s", ran)
	}
}

// A record that is gone by now, or broken, keeps no other from being read.
func TestAllButSome(t *testing.T) {
	f := builderOf(t, numbers(7)...)
	os.Remove(filepath.Join(f.folder, f.refs[2]))
	if err := os.WriteFile(filepath.Join(f.folder, f.refs[5]), []byte("\x1f\x8b\x08"), 0o600); err != nil {
		t.Fatal(err)
	}
	builds, problems, err := New(RecordRef{Builder: "ci", All: true}, Options{}).Builds(t.Context(), fetch.Selector{})
	want := slices.DeleteFunc(slices.Clone(f.refs), func(ref string) bool { return ref == f.refs[2] || ref == f.refs[5] })
	if diff := cmp.Diff(want, idsOf(builds)); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), f.refs[5]) {
		t.Errorf("problems: %v", problems)
	}
	if ran := f.ran(t); !strings.HasPrefix(ran, `buildx ["history" "--builder=ci" "ls"`) {
		t.Errorf("ran %s", ran)
	}
}

// Two nodes have records of one ref, of which Buildx exports both with --all alone.
func TestAllOfNodes(t *testing.T) {
	f := builderOf(t, 0, 1)
	f.tell(t, "r/r1/"+f.refs[1], time.Unix(1, 0), time.Unix(2, 0))
	builds, _, err := New(RecordRef{All: true}, Options{}).Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) != 2 || !strings.Contains(f.ran(t), `"--all"`) {
		t.Errorf("%v, %v: ran %s", idsOf(builds), err, f.ran(t))
	}
}

func TestAllOfNone(t *testing.T) {
	f := builderOf(t)
	f.tell(t, "r/r0/aaaaaaaaaaaaaaaaaaaaaaaaa", time.Unix(1, 0), time.Time{})
	if _, _, err := New(RecordRef{All: true}, Options{}).Builds(t.Context(), fetch.Selector{}); !errors.Is(err, ErrNoRecord) {
		t.Errorf("Builds() = %v, want %v", err, ErrNoRecord)
	}
	t.Setenv("FAKE_BUILDX", "print:") // as it is where nothing was built yet
	if _, _, err := New(RecordRef{All: true}, Options{}).Builds(t.Context(), fetch.Selector{}); !errors.Is(err, ErrNoRecord) {
		t.Errorf("Builds() = %v, want %v", err, ErrNoRecord)
	}
}

// What was read when time runs out is read, and that it is not all is told.
func TestAllInTime(t *testing.T) {
	f := builderOf(t, numbers(12)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read := 0
	builds, problems, err := New(RecordRef{All: true}, Options{Progress: func(string, int) (func(), func()) {
		return func() {
			if read++; read == together {
				cancel()
			}
		}, func() {}
	}}).Builds(ctx, fetch.Selector{})
	if diff := cmp.Diff(f.refs[2:], idsOf(builds)); diff != "" || err != nil {
		t.Error(diff, err)
	}
	var part *PartError
	if len(problems) != 1 || !errors.As(problems[0], &part) || part.Read != 10 || part.Of != 12 {
		t.Errorf("problems: %v", problems)
	}
}

// Of a build that failed Buildx writes no metadata: then there is none, or that of the
// build before.
func TestDescribed(t *testing.T) {
	const revisionOf49 = "faf70d83cdf2abdb4af84b6a18a71bddab6da612"
	const good, failed = "v2e7ykgscoruztndrkq8i8z4p", "tgwbkwdmq3dnnu81z18ah4312" // 48 and 49
	folder := t.TempDir()
	began := time.Date(2026, 11, 22, 13, 47, 2, 0, time.UTC)
	describe := func(name, text string, written time.Time) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, written, written); err != nil {
			t.Fatal(err)
		}
		return path
	}
	before := describe("before.json", `{"buildx.build.ref":"r/r0/`+good+`"}`, began.Add(-time.Second))
	after := describe("after.json", `{"buildx.build.ref":"r/r0/`+good+`"}`, began.Add(time.Minute))
	for _, test := range []struct {
		name, path, revision string
		newest               int
		want, told           string
	}{
		{"of a build that succeeded", before, "", 48, good, ""},
		{"missing", filepath.Join(folder, "none.json"), "", 49, failed, "none.json is missing or empty, as Buildx writes none"},
		{"empty", describe("empty.json", " \n", began), "", 49, failed, "a build that failed at 2026-11-22 13:47"},
		{"missing after a build that succeeded", filepath.Join(folder, "none.json"), "", 48, good, "may not be the one"},
		{"left over", before, revisionOf49, 49, failed, "before.json is of an earlier build"},
		{"written after another's failure", after, revisionOf49, 49, good, ""},
		{"another commit's failure", before, strings.Repeat("0", 40), 49, good, ""},
		{"no checkout", before, "", 49, good, ""},
		{"a later success", describe("old.json", `{"buildx.build.ref":"r/r0/nb6dtb6p4dg2n7stc60pjcjl8"}`, began.Add(-time.Hour)), "", 48, "nb6dtb6p4dg2n7stc60pjcjl8", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var kept []int
			for n := 47; n <= test.newest; n++ {
				kept = append(kept, n)
			}
			f := builderOf(t, kept...)
			t.Setenv("FAKE_NEWEST", f.refs[len(f.refs)-1])
			ref, err := Parse("@" + test.path)
			if err != nil {
				t.Fatal(err)
			}
			builds, problems, err := New(ref, Options{Revision: test.revision}).Builds(t.Context(), fetch.Selector{})
			if err != nil || len(builds) != 1 || builds[0].ID != test.want {
				t.Fatalf("Builds() = %v, %v, want %s", idsOf(builds), err, test.want)
			}
			if told := errors.Join(problems...); (test.told == "") != (told == nil) || told != nil && !strings.Contains(told.Error(), test.told) {
				t.Errorf("told %v, want %q", told, test.told)
			}
		})
	}
}
