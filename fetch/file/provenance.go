package file

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A provenance is where the vertices of a build come from, in SLSA v0.2 or v1.
type provenance struct {
	// v0.2
	Invocation struct {
		ConfigSource configSource `json:"configSource"`
		Parameters   request      `json:"parameters"`
		Environment  environment  `json:"environment"`
	} `json:"invocation"`
	BuildConfig buildConfig         `json:"buildConfig"`
	Materials   []buildkit.Material `json:"materials"`
	Metadata    struct {
		BuildKit sourceMetadata `json:"https://mobyproject.org/buildkit@v1#metadata"`
	} `json:"metadata"`
	// v1
	BuildDefinition struct {
		ExternalParameters struct {
			ConfigSource configSource `json:"configSource"`
			Request      request      `json:"request"`
		} `json:"externalParameters"`
		InternalParameters struct {
			BuildConfig buildConfig `json:"buildConfig"`
			environment
		} `json:"internalParameters"`
		Materials []buildkit.Material `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Metadata struct {
			BuildKit sourceMetadata `json:"buildkit_metadata"`
		} `json:"metadata"`
	} `json:"runDetails"`
}

// A configSource is where the Dockerfile came from, if not from the client: the context of
// the build, and which commit that was.
type configSource struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"` // by algorithm
}

type buildConfig struct {
	DigestMapping map[string]string `json:"digestMapping"` // from vertex digest to step
	Ops           []buildkit.Op     `json:"llbDefinition"`
}

// A request is what the client asked for.
type request struct {
	Frontend string `json:"frontend"` // "gateway.v0" for one that is an image
	Args     struct {
		Source string `json:"source"` // that image
	} `json:"args"`
}

// name is the frontend that read the Dockerfile.
func (r *request) name() string { return cmp.Or(r.Args.Source, r.Frontend) }

type environment struct {
	DockerfileVersion string `json:"dockerfileVersion"`
}

type sourceMetadata struct {
	VCS    map[string]string             `json:"vcs"`
	Usage  []json.RawMessage             `json:"sysUsage"`
	Layers map[string][][]buildkit.Layer `json:"layers"` // by "step4:0", from the lowest to its own
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
func (d *decoder) provenance(name string, l *layoutReader, m ocispec.Manifest, r *historyRecord, meta *buildkit.Metadata) {
	blobs, err := l.layers(m, typeInToto) // of each platform; other attestations lack the fields
	for _, blob := range blobs {
		if err == nil {
			err = readProvenance(blob, r, meta)
		}
	}
	if err != nil {
		d.warn(name, fmt.Errorf("provenance: %w", err))
	}
}

func readProvenance(blob []byte, r *historyRecord, meta *buildkit.Metadata) error {
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
	p.BuildDefinition.ExternalParameters.ConfigSource.apply(meta)
	p.Invocation.ConfigSource.apply(meta)
	meta.AddFacts(p.facts(), r.FrontendAttrs, r.Exporters)
	var files []dockerfile
	for _, info := range source.Source.Infos {
		files = append(files, newDockerfile(info, path.Dir(meta.Dockerfile)))
		const enough = 256 << 10
		meta.Arguments.AddText(string(info.Data[:min(len(info.Data), enough)]))
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

// facts are the parts of which the facts of a build are read, of either version.
func (p *provenance) facts() *buildkit.FactSource {
	v1 := &p.BuildDefinition
	src := &buildkit.FactSource{
		Ops: p.BuildConfig.Ops, Steps: p.BuildConfig.DigestMapping, Materials: p.Materials, Samples: p.Metadata.BuildKit.Usage,
		Frontend: p.Invocation.Parameters.name(), Version: p.Invocation.Environment.DockerfileVersion,
	}
	source := &p.Metadata.BuildKit
	if len(src.Steps) == 0 {
		config := &v1.InternalParameters.BuildConfig
		source = &p.RunDetails.Metadata.BuildKit
		src = &buildkit.FactSource{
			Ops: config.Ops, Steps: config.DigestMapping, Materials: v1.Materials, Samples: source.Usage,
			Frontend: v1.ExternalParameters.Request.name(), Version: v1.InternalParameters.DockerfileVersion,
		}
	}
	src.Layers = source.Layers
	if len(source.Source.Infos) > 0 {
		src.Text = source.Source.Infos[0].Data
	}
	return src
}

// apply fills in the commit of a context that was asked for by the name of a branch, or of
// a pull request.
func (c *configSource) apply(meta *buildkit.Metadata) {
	g, ok := buildkit.ParseGitContext(c.URI)
	of, _ := buildkit.ParseGitContext(meta.Repository)
	if !ok || meta.Revision != "" || g.Repository != cmp.Or(of.Repository, strings.TrimSuffix(meta.Repository, ".git")) {
		return
	}
	meta.Revision = cmp.Or(c.Digest["sha1"], c.Digest["sha256"], c.Digest["gitCommit"])
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
