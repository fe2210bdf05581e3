package file

import (
	"cmp"
	"fmt"
	"path"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A provenance is where the vertices of a build come from, in SLSA v0.2 or v1.
type provenance struct {
	// v0.2
	BuildConfig buildConfig `json:"buildConfig"`
	Metadata    struct {
		BuildKit sourceMetadata `json:"https://mobyproject.org/buildkit@v1#metadata"`
	} `json:"metadata"`
	// v1
	BuildDefinition struct {
		InternalParameters struct {
			BuildConfig buildConfig `json:"buildConfig"`
		} `json:"internalParameters"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Metadata struct {
			BuildKit sourceMetadata `json:"buildkit_metadata"`
		} `json:"metadata"`
	} `json:"runDetails"`
}

type buildConfig struct {
	DigestMapping map[string]string `json:"digestMapping"` // from vertex digest to step
}

type sourceMetadata struct {
	VCS    map[string]string `json:"vcs"`
	Source struct {
		Locations map[string]struct {
			Locations []struct {
				SourceIndex int           `json:"sourceIndex"`
				Ranges      []sourceRange `json:"ranges"`
			} `json:"locations"`
		} `json:"locations"` // by step
		Infos []sourceInfo `json:"infos"`
	} `json:"source"`
}

type sourceInfo struct {
	Filename string `json:"filename"`
	Data     []byte `json:"data"`
}

type sourceRange struct {
	Start struct {
		Line int `json:"line"`
	} `json:"start"`
	End struct {
		Line int `json:"line"`
	} `json:"end"`
}

// provenance fills in where each vertex comes from, and the repository where
// the record does not say it.
func (d *decoder) provenance(name string, l *layoutReader, m ocispec.Manifest, meta *buildkit.Metadata) {
	blobs, err := l.layers(m, typeInToto) // of each platform; other attestations lack the fields
	for _, blob := range blobs {
		if err == nil {
			err = readProvenance(blob, meta)
		}
	}
	if err != nil {
		d.warn(name, fmt.Errorf("provenance: %w", err))
	}
}

func readProvenance(blob []byte, meta *buildkit.Metadata) error {
	var p provenance
	if err := boundjson.Unmarshal(blob, &p); err != nil {
		return err
	}
	steps, source := p.BuildConfig.DigestMapping, &p.Metadata.BuildKit
	if len(steps) == 0 {
		steps, source = p.BuildDefinition.InternalParameters.BuildConfig.DigestMapping, &p.RunDetails.Metadata.BuildKit
	}
	meta.Repository = cmp.Or(meta.Repository, source.VCS["source"])
	meta.Revision = cmp.Or(meta.Revision, source.VCS["revision"])
	var files []dockerfile
	for _, info := range source.Source.Infos {
		files = append(files, newDockerfile(info, path.Dir(meta.Dockerfile)))
	}
	if meta.Instructions == nil {
		meta.Instructions = make(map[string]buildkit.Instruction, len(steps))
	}
	for digest, step := range steps {
		// A vertex that several stages share has several places: the first of
		// them in the file gave it its name.
		for _, location := range source.Source.Locations[step].Locations {
			if location.SourceIndex < 0 || location.SourceIndex >= len(files) {
				continue
			}
			found, ok := files[location.SourceIndex].instruction(location.Ranges)
			old, known := meta.Instructions[digest]
			if ok && (!known || found.Position.Line < old.Position.Line) {
				meta.Instructions[digest] = found
			}
		}
	}
	return nil
}

// instruction finds what stands in the ranges of lines, which follow each other.
func (f dockerfile) instruction(ranges []sourceRange) (buildkit.Instruction, bool) {
	if len(ranges) == 0 || ranges[0].Start.Line < 1 {
		return buildkit.Instruction{}, false
	}
	first, last := ranges[0].Start.Line, ranges[0].End.Line
	for _, r := range ranges {
		first, last = min(first, r.Start.Line), max(last, r.End.Line)
	}
	if first < 1 {
		return buildkit.Instruction{}, false
	}
	found := buildkit.Instruction{Text: f.text(first, last)}
	found.Position.File, found.Position.Line = f.name, first
	return found, true
}
