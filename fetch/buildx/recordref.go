package buildx

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/fetch/boundjson"
)

// A RecordRef says which records of which builder.
type RecordRef struct {
	Builder string   // "" for the one that is in use
	Refs    []string // none for the newest record
	All     bool     // all that the builder tells of; then there are no Refs
	// Metadata is the file of docker buildx build --metadata-file that named the Refs,
	// and Written when it was written; if it is not there, or empty, it names none.
	Metadata string
	Written  time.Time
}

// all is how parseRef writes that all records are meant.
const all = "*"

const (
	maxRefs     = 100     // a bake file with more targets is not known
	maxMetadata = 4 << 20 // bytes of a metadata file; provenance makes them large
)

// Names begin with a letter or a digit, so that none can be an option. BuildKit's
// refs are 25 letters and digits; ^1 is the record before the newest.
var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	refForm  = regexp.MustCompile(`^(?:\^[0-9]{1,3}|[A-Za-z0-9][A-Za-z0-9_-]{0,127})$`)
)

// Parse reads what stands behind "buildx:", one of
//
//	[BUILDER/][REF]       a record, or the newest
//	[BUILDER/]*           all records
//	BUILDER/NODE/REF      as Buildx writes buildx.build.ref
//	REF,REF,…             several records, each in one of these forms
//	@FILE                 those in a file of docker buildx build --metadata-file
//	{"buildx.build.ref":…}  or in its text
func Parse(text string) (RecordRef, error) {
	switch {
	case strings.HasPrefix(text, "@"):
		data, written, err := readMetadata(text[1:])
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(bytes.TrimSpace(data)) == 0 {
			return RecordRef{Metadata: cmp.Or(text[1:], "the metadata file")}, nil
		}
		if err != nil {
			return RecordRef{}, err
		}
		p, err := parseMetadata(data)
		if err != nil {
			return RecordRef{}, fmt.Errorf("%s: %w", text[1:], err)
		}
		p.Metadata, p.Written = text[1:], written
		return p, nil
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		p, err := parseMetadata([]byte(text))
		if err != nil {
			return RecordRef{}, fmt.Errorf("metadata: %w", err)
		}
		return p, nil
	}
	return parseRefs(strings.Split(text, ","))
}

// parseRefs makes a RecordRef of several refs, which are of one builder.
func parseRefs(refs []string) (RecordRef, error) {
	var p RecordRef
	if len(refs) > maxRefs {
		return p, fmt.Errorf("more than %d refs", maxRefs)
	}
	for i, text := range refs {
		builder, ref, err := parseRef(text)
		switch {
		case err != nil:
			return RecordRef{}, err
		case ref == "" && len(refs) > 1:
			return RecordRef{}, fmt.Errorf("%q: an empty ref among others", text)
		case ref == all && len(refs) > 1:
			return RecordRef{}, fmt.Errorf("%q are all records: give no others", text)
		case i > 0 && builder != p.Builder:
			return RecordRef{}, fmt.Errorf("records of two builders, %q and %q: give those of one at a time", p.Builder, builder)
		}
		p.Builder = builder
		if ref == all {
			return RecordRef{Builder: builder, All: true}, nil
		}
		if ref != "" && !slices.Contains(p.Refs, ref) {
			p.Refs = append(p.Refs, ref)
		}
	}
	return p, nil
}

// parseRef reads [BUILDER/[NODE/]][REF], or [BUILDER/]*.
func parseRef(text string) (builder, ref string, err error) {
	parts := strings.Split(text, "/")
	if len(parts) > 3 {
		return "", "", fmt.Errorf("%q is not written BUILDER/REF", text)
	}
	ref = parts[len(parts)-1]
	for _, name := range parts[:len(parts)-1] {
		if !nameForm.MatchString(name) {
			return "", "", fmt.Errorf("%q is no name of a builder", name)
		}
	}
	if len(parts) > 1 {
		builder = parts[0]
	}
	if ref == all && len(parts) < 3 {
		return builder, all, nil
	}
	if ref != "" && !refForm.MatchString(ref) {
		return "", "", fmt.Errorf("%q is no ref of a build record", ref)
	}
	return builder, ref, nil
}

func readMetadata(path string) (data []byte, written time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, written, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		written = info.ModTime()
	}
	data, err = io.ReadAll(io.LimitReader(f, maxMetadata+1))
	if err == nil && len(data) > maxMetadata {
		err = fmt.Errorf("%s: larger than %d MiB", path, maxMetadata>>20)
	}
	return data, written, err
}

// parseMetadata finds the refs in what Buildx says of a build: at the top, or,
// where bake made it, in the object of each target.
func parseMetadata(data []byte) (RecordRef, error) {
	type build struct {
		Ref string `json:"buildx.build.ref"`
	}
	var one build
	if err := boundjson.Unmarshal(data, &one); err != nil {
		return RecordRef{}, err
	}
	refs := []string{one.Ref}
	if one.Ref == "" {
		refs = nil
		for _, object := range boundjson.Fields(bytes.TrimSpace(data)) {
			var target build
			if json.Unmarshal(object, &target) == nil && target.Ref != "" {
				refs = append(refs, target.Ref)
			}
		}
	}
	if len(refs) == 0 {
		return RecordRef{}, errors.New("holds no buildx.build.ref")
	}
	return parseRefs(refs)
}
