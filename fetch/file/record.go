package file

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/spans"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// A historyRecord is what BuildKit keeps of a build, as far as it is used. The
// paths of the machine that it holds as well stay where they are.
type historyRecord struct {
	Ref           string
	FrontendAttrs map[string]string
	Exporters     []buildkit.RecordedExport
	CreatedAt     recordTime
	CompletedAt   recordTime
	Error         *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Details []struct {
			TypeURL string `json:"type_url"`
			Value   []byte `json:"value"`
		} `json:"details"`
	} `json:"error"`
	LocalState struct {
		Target string // as bake names it, "default" without bake
	} `json:"localState"`
}

// A recordTime is a time that old records hold as text and new ones in parts.
type recordTime struct{ time.Time }

func (t *recordTime) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		err := t.Time.UnmarshalJSON(b)
		t.Time = fetch.PlausibleOrZero(t.Time)
		return err
	}
	var parts *struct {
		Seconds int64 `json:"seconds"`
		Nanos   int64 `json:"nanos"`
	}
	if err := json.Unmarshal(b, &parts); err != nil || parts == nil {
		return err
	}
	t.Time = unixTime(parts.Seconds, parts.Nanos)
	return nil
}

// unixTime is a time if it can be one of a build, else the zero time.
func unixTime(seconds, nanos int64) time.Time {
	if nanos < 0 || nanos >= 1e9 {
		return time.Time{}
	}
	return fetch.PlausibleOrZero(time.Unix(seconds, nanos))
}

// record reads one build record.
func (d *decoder) record(name string, l *layoutReader, m ocispec.Manifest) error {
	config, err := l.blob(m.Config.Digest)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	var r historyRecord
	if err := boundjson.Unmarshal(config, &r); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if r.Ref == "" {
		return fmt.Errorf("record: has no Ref")
	}
	name = name + "/" + printable(r.Ref)
	meta := r.metadata()
	d.provenance(name, l, m, &r, &meta)
	d.failure(name, l, m, &r, &meta)
	progress := d.status(name, l, m)
	spans := d.recordSpans(name, l, m)
	if progress.Empty() && len(spans) > 0 {
		builds, warnings := fromTrace(meta, spans)
		for i := range builds {
			fetch.Hide(&builds[i], &meta.Arguments)
		}
		return d.add(name, builds, warnings)
	}
	meta.Trace, meta.Resource = traceOf(progress, spans)
	if r.isBaked(spans) {
		meta.BakeTarget = r.LocalState.Target
	}
	b, warnings := progress.Build(meta)
	fetch.Hide(&b, &meta.Arguments)
	return d.add(name, []timeline.Build{b}, warnings)
}

// metadata are what the record itself says.
func (r *historyRecord) metadata() buildkit.Metadata {
	const grpcCanceled = 1
	filename := cmp.Or(r.FrontendAttrs["filename"], "Dockerfile")
	meta := buildkit.Metadata{
		Ref:        fetch.Clean(r.Ref, 200),
		Start:      r.CreatedAt.Time,
		End:        r.CompletedAt.Time,
		Ended:      !r.CompletedAt.IsZero(),
		Repository: r.FrontendAttrs["vcs:source"],
		Revision:   r.FrontendAttrs["vcs:revision"],
		Dockerfile: path.Join(r.FrontendAttrs["vcs:localdir:dockerfile"], filename),
		Context:    r.FrontendAttrs["vcs:localdir:context"],
		Platform:   onePlatform(r.FrontendAttrs["platform"]),
		Target:     r.FrontendAttrs["target"],
	}
	if g, ok := buildkit.ParseGitContext(r.FrontendAttrs["context"]); ok {
		meta.Repository = cmp.Or(meta.Repository, g.Repository)
		meta.Revision = cmp.Or(meta.Revision, g.Revision)
		meta.Branch, meta.PullRequest = g.Branch, g.PullRequest
		meta.Dockerfile, meta.Context = path.Join(g.Folder, filename), g.Folder
	}
	for name, value := range r.FrontendAttrs {
		if name, ok := strings.CutPrefix(name, "build-arg:"); ok {
			meta.Arguments.Add(name, value)
		}
	}
	if r.Error != nil {
		meta.Ended = true
		meta.Error = cmp.Or(r.Error.Message, fmt.Sprintf("code %d", r.Error.Code))
		meta.Cancelled = r.Error.Code == grpcCanceled || strings.HasSuffix(meta.Error, "context canceled")
	}
	return meta
}

// onePlatform is the platform that was asked for, if that was one: then no name of a step
// says it, and the same steps for another platform are another image. linux/amd64 goes
// without saying.
func onePlatform(asked string) string {
	if asked == "linux/amd64" || strings.Contains(asked, ",") {
		return ""
	}
	return asked
}

// isBaked tells whether bake built the target together with others: then its
// client makes a span for each.
func (r *historyRecord) isBaked(spans []buildkit.Span) bool {
	bakes := map[string]bool{}
	for _, s := range spans {
		if s.Name == "bake" || strings.HasPrefix(s.Name, "bake ") {
			bakes[s.ID] = true
		}
	}
	for _, s := range spans {
		if bakes[s.Parent] && s.Name == r.LocalState.Target {
			return true
		}
	}
	return false
}

// status reads the progress that the record keeps, empty if it has none that
// can be read.
func (d *decoder) status(name string, l *layoutReader, m ocispec.Manifest) *buildkit.Progress {
	p := &buildkit.Progress{}
	blob, err := l.layer(m, typeStatus)
	if err == nil {
		err = statusBlob(d.ctx, p, blob)
	}
	if err != nil {
		d.warn(name, fmt.Errorf("status: %w", err))
	}
	return p
}

// recordSpans reads the spans that the record keeps, none if it has none that can be
// read.
func (d *decoder) recordSpans(name string, l *layoutReader, m ocispec.Manifest) []buildkit.Span {
	blob, err := l.layer(m, typeTrace)
	if err != nil || blob == nil {
		if err != nil {
			d.warn(name, fmt.Errorf("trace: %w", err))
		}
		return nil
	}
	list, err := spans.Stubs(d.ctx, blob)
	if err != nil {
		d.warn(name, fmt.Errorf("trace: %w", err))
	}
	return list
}

// traceOf is the trace of a build whose progress is known: that of the spans of
// its vertices. Builds of one bake share a trace, so that there are spans of
// other builds too. The attributes are those of the first client in it.
func traceOf(p *buildkit.Progress, spans []buildkit.Span) (string, map[string]string) {
	trace := ""
	for _, s := range spans {
		if s.Vertex != "" && p.Has(s.Vertex) {
			trace = s.Trace
			break
		}
	}
	if trace == "" && len(spans) > 0 {
		trace = spans[0].Trace
	}
	for _, s := range spans {
		if s.Trace != trace {
			continue
		}
		if len(s.Resource) > 0 {
			return trace, s.Resource
		}
	}
	return trace, nil
}

// fromTrace makes the build of a record that keeps no progress. If its trace
// holds several builds, the one that began nearest to it is it.
func fromTrace(meta buildkit.Metadata, spans []buildkit.Span) ([]timeline.Build, []error) {
	builds, warnings := buildkit.Builds(spans)
	if len(builds) == 0 {
		return nil, warnings
	}
	nearest := builds[0]
	for _, b := range builds[1:] {
		if b.Start.Sub(meta.Start).Abs() < nearest.Start.Sub(meta.Start).Abs() {
			nearest = b
		}
	}
	meta.Complete(&nearest)
	return []timeline.Build{nearest}, warnings
}
