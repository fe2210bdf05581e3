package buildkit

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// A record's provenance says what each vertex was told to do, from what the build was made,
// and what was measured meanwhile. The types here are its parts, in the form that both
// versions of SLSA share; what is not used is not decoded.

// An Op is a vertex as it was executed.
type Op struct {
	ID string `json:"id"` // "step4"
	Op struct {
		Op struct {
			Exec   *execOp   `json:"exec"`
			File   *fileOp   `json:"file"`
			Source *sourceOp `json:"source"`
		} `json:"Op"`
		Platform *struct{ OS, Architecture, Variant string } `json:"platform"`
	} `json:"op"`
	Inputs []string `json:"inputs"` // "step3:0"
	Usage  *struct {
		Samples []json.RawMessage `json:"samples"` // of which the last has the sums
	} `json:"resourceUsage"`
}

type execOp struct {
	Meta struct {
		Args []string `json:"args"`
		Env  []string `json:"env"`
		Cwd  string   `json:"cwd"`
		User string   `json:"user"`
	} `json:"meta"`
	Mounts   []mount         `json:"mounts"`
	Network  json.RawMessage `json:"network"` // a number or its name
	Security json.RawMessage `json:"security"`
}

type mount struct {
	Input    int             `json:"input"`
	Selector string          `json:"selector"`
	Dest     string          `json:"dest"`
	Readonly bool            `json:"readonly"`
	Type     json.RawMessage `json:"mountType"` // a number or its name; none is a bind mount
	Cache    *struct {
		ID string `json:"ID"`
	} `json:"cacheOpt"`
}

// isBind tells whether the mount shows files of an input.
func (m *mount) isBind() bool {
	kind := strings.Trim(string(m.Type), `"`)
	return kind == "" || kind == "0" || kind == "BIND" || kind == "null"
}

type fileOp struct {
	Actions []struct {
		SecondaryInput *int `json:"secondaryInput"`
		Action         struct {
			Copy *struct {
				Src   string          `json:"src"`
				Dest  string          `json:"dest"`
				Mode  int             `json:"mode"`
				Owner json.RawMessage `json:"owner"`
			} `json:"copy"`
			Mkfile json.RawMessage `json:"mkfile"`
			Mkdir  json.RawMessage `json:"mkdir"`
			Rm     json.RawMessage `json:"rm"`
		} `json:"Action"`
	} `json:"actions"`
}

type sourceOp struct {
	Identifier string `json:"identifier"` // "docker-image://docker.io/library/alpine:3@sha256:…"
}

// A Material is something that the build took from elsewhere.
type Material struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

// A Layer is one of an image, as it is stored and pushed.
type Layer struct {
	Size int64 `json:"size"` // bytes, -1 if unknown
}

// FactSource is what a record holds of facts.
type FactSource struct {
	Ops       []Op
	Steps     map[string]string // ids of ops by vertex digest
	Materials []Material
	Samples   []json.RawMessage    // of the whole machine, oldest first
	Frontend  string               // as asked for: "docker/dockerfile:1", or "dockerfile.v0"
	Version   string               // of the frontend that is built in
	Text      []byte               // of the Dockerfile
	Layers    map[string][][]Layer // by "step4:0": those up to its own, the last
}

// A RecordedExport is how a record says that the result was written.
type RecordedExport struct {
	Type  string
	Attrs map[string]string
}

// maxOps bounds the vertices that facts are read of.
const maxOps = 2000

// AddFacts puts what src knows into the metadata of the build, whose attributes are those
// that its frontend was given. A second platform's adds its own steps.
func (m *Metadata) AddFacts(src *FactSource, attrs map[string]string, exports []RecordedExport) {
	if len(src.Ops)+len(src.Steps)+len(src.Samples) == 0 {
		return // an attestation of another kind
	}
	f := &facts{meta: m, context: attrs["context"], args: map[string]bool{}}
	first := m.Facts == nil
	if first {
		m.Facts = &timeline.Facts{Context: cleanFact(m.Context)}
		m.Facts.Args = buildArgs(attrs)
		m.Facts.CacheIn = cachesOf(attrs["cache-imports"])
		m.Facts.Exporter = exporterOf(exports)
		m.Facts.Frontend = frontendOf(src)
		if len(src.Text) > 0 {
			m.Facts.Text = digestOf(src.Text)
		}
		m.Machine = machineOf(src.Samples)
	}
	for name := range attrs {
		if arg, ok := strings.CutPrefix(name, "build-arg:"); ok {
			f.args[arg] = true
		}
	}
	f.read(src)
}

// usage is what the step of a vertex used. That of an earlier build says nothing of this.
func (m *Metadata) usage(v *vertex, s *timeline.Step) *timeline.Usage {
	if s.State != timeline.Executed {
		return nil
	}
	u := v.printed.usage(m.Usages[v.digest], s.Start, s.Start.Add(s.Duration), &m.Arguments)
	if layers := len(v.written); layers > 0 {
		with := timeline.Usage{}
		if u != nil {
			with = *u
		}
		with.Layers = int64(layers)
		u = &with
	}
	return u
}

// withLayer is what a step used, with the bytes of the layer that it made. Steps share the
// first.
func withLayer(u *timeline.Usage, bytes int64) *timeline.Usage {
	if bytes < timeline.MinLayer {
		return u
	}
	with := timeline.Usage{Layer: bytes}
	if u != nil {
		with = *u
		with.Layer = bytes
	}
	return &with
}

// progressFacts are the facts with what the progress tells beside the record.
func (m *Metadata) progressFacts(p *Progress, vertices []*vertex) *timeline.Facts {
	var caches []string
	for _, v := range vertices {
		if kind := cacheKind(v.name); kind != "" && !slices.Contains(caches, kind) && len(caches) < timeline.MaxArgs {
			caches = append(caches, kind)
		}
	}
	if m.Facts == nil || len(caches)+len(p.warnings) == 0 {
		return m.Facts
	}
	slices.Sort(caches)
	f := *m.Facts
	f.CacheOut, f.Warnings = caches, slices.Clone(p.warnings)
	for i := range f.Warnings {
		m.Arguments.Cut(&f.Warnings[i])
	}
	return &f
}

// cacheKind is what kind of cache a vertex writes, "" if it writes none.
func cacheKind(name string) string {
	if !isCacheExport(name) {
		return ""
	}
	if kind, ok := strings.CutPrefix(name, "exporting cache to "); ok {
		return cleanFact(kind)
	}
	return cleanFact(name)
}

// facts reads the ops of one provenance.
type facts struct {
	meta    *Metadata
	context string          // as given, if that is an address
	args    map[string]bool // names of build arguments
	sources map[string]string
}

func (f *facts) read(src *FactSource) {
	ops := src.Ops[:min(len(src.Ops), maxOps)]
	f.sources = map[string]string{}
	for i := range ops {
		if s := ops[i].Op.Op.Source; s != nil {
			f.sources[ops[i].ID] = s.Identifier
		}
	}
	if f.meta.StepFacts == nil {
		f.meta.StepFacts, f.meta.Usages = map[string]*timeline.StepFacts{}, map[string]*timeline.Usage{}
	}
	digests := make(map[string][]string, len(src.Steps))
	for digest, step := range src.Steps {
		digests[step] = append(digests[step], digest)
	}
	for i := range ops {
		op := &ops[i]
		facts, usage := f.step(op), usageOf(op)
		for _, digest := range digests[op.ID] {
			if facts != nil {
				f.meta.StepFacts[digest] = facts
			}
			if usage != nil {
				f.meta.Usages[digest] = usage
			}
		}
	}
	f.layers(src.Layers, digests)
	for _, material := range src.Materials {
		if !strings.HasPrefix(material.URI, "pkg:") && material.URI != f.context {
			f.addSource(material.URI, anyDigest(material.Digest))
		}
	}
	slices.SortFunc(f.meta.Facts.Sources, func(a, b timeline.Artifact) int { return cmp.Compare(a.Name, b.Name) })
}

// layers keeps how large the layer is that each step made.
func (f *facts) layers(of map[string][][]Layer, digests map[string][]string) {
	if f.meta.LayerBytes == nil {
		f.meta.LayerBytes = map[string]int64{}
	}
	for output, chains := range of {
		id, _, _ := strings.Cut(output, ":")
		own := int64(0)
		for _, chain := range chains[:min(len(chains), maxOps)] {
			if n := len(chain); n > 0 && chain[n-1].Size > 0 && chain[n-1].Size < 1<<50 {
				own = max(own, chain[n-1].Size)
			}
		}
		for _, digest := range digests[id] {
			f.meta.LayerBytes[digest] = max(f.meta.LayerBytes[digest], own)
		}
	}
}

// addSource keeps where something came from, once.
func (f *facts) addSource(name, digest string) {
	list := &f.meta.Facts.Sources
	name = cleanFact(name)
	known := slices.ContainsFunc(*list, func(a timeline.Artifact) bool { return a.Name == name })
	if digest != "" && !known && len(*list) < timeline.MaxArtifacts {
		*list = append(*list, timeline.Artifact{Name: name, Digest: shortDigest(digest)})
	}
}

// step is what one op was told to do, nil for one that is none of people's.
func (f *facts) step(op *Op) *timeline.StepFacts {
	h := sha256.New()
	say := func(parts ...string) {
		for _, part := range parts {
			h.Write([]byte(part))
			h.Write([]byte{0})
		}
	}
	out := &timeline.StepFacts{}
	switch kind := &op.Op.Op; {
	case kind.Exec != nil:
		exec := kind.Exec
		say("exec", exec.Meta.Cwd, exec.Meta.User, enumName(exec.Network), enumName(exec.Security))
		say(exec.Meta.Args...)
		for i := range exec.Mounts {
			m := &exec.Mounts[i]
			say("mount", m.Selector, m.Dest, enumName(m.Type))
			if m.Cache != nil {
				say("cache", m.Cache.ID)
			}
			if m.isBind() {
				f.reads(out, op, m.Input, m.Selector)
			}
		}
		out.Env, out.Args = f.environment(exec.Meta.Env)
	case kind.File != nil:
		say("file")
		for _, action := range kind.File.Actions {
			a := &action.Action
			say(canonical(a.Mkfile), canonical(a.Mkdir), canonical(a.Rm))
			if a.Copy == nil {
				continue
			}
			say("copy", a.Copy.Src, a.Copy.Dest, canonical(a.Copy.Owner))
			if action.SecondaryInput != nil {
				f.reads(out, op, *action.SecondaryInput, a.Copy.Src)
			} else {
				f.reads(out, op, 0, a.Copy.Src)
			}
		}
	case kind.Source != nil:
		image, ok := strings.CutPrefix(kind.Source.Identifier, "docker-image://")
		if !ok {
			return nil
		}
		name, digest, _ := strings.Cut(image, "@")
		if p := op.Op.Platform; p != nil {
			name += " " + path.Join(p.OS, p.Architecture, p.Variant)
		}
		f.addSource(name, digest)
		out.Image = cleanFact(name)
		return out
	default:
		return nil
	}
	out.Op = short(h.Sum(nil))
	return out
}

// reads adds what an op reads of the context, if its input at that index is one.
func (f *facts) reads(to *timeline.StepFacts, op *Op, input int, selector string) {
	if input < 0 || input >= len(op.Inputs) {
		return
	}
	id, _, _ := strings.Cut(op.Inputs[input], ":")
	from := f.sources[id]
	name, local := strings.CutPrefix(from, "local://")
	if !local && !f.isContext(from) {
		return
	}
	selector = path.Join("/", selector)
	if local && name != "context" {
		selector = name + ":" + selector
	}
	selector = cleanFact(selector)
	switch {
	case slices.Contains(to.Reads, selector):
	case len(to.Reads) < timeline.MaxReads:
		to.Reads = append(to.Reads, selector)
	default:
		to.Reads = []string{"/"} // more than are kept apart
	}
}

// isContext tells whether a source is the repository that was given as the context.
func (f *facts) isContext(identifier string) bool {
	address := func(text string) string {
		_, text, _ = strings.Cut(text, "://")
		text, _, _ = strings.Cut(text, "#")
		return strings.TrimSuffix(text, ".git")
	}
	return f.context != "" && identifier != "" && address(f.context) == address(identifier) && address(identifier) != ""
}

// environment is a hash of what stands in an environment, and which build arguments do.
func (f *facts) environment(env []string) (hash string, args []string) {
	h := sha256.New()
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if f.args[name] {
			if len(args) < timeline.MaxArgs {
				args = append(args, cleanFact(name))
			}
			continue
		}
		h.Write([]byte(e))
		h.Write([]byte{0})
	}
	return short(h.Sum(nil))[:8], args
}

// buildArgs are the arguments that were given.
func buildArgs(attrs map[string]string) (args []timeline.BuildArg) {
	for key, value := range attrs {
		name, ok := strings.CutPrefix(key, "build-arg:")
		if !ok || name == "" || name == "SOURCE_DATE_EPOCH" {
			continue
		}
		arg := timeline.BuildArg{Name: cleanFact(name)}
		if !isSecret(name, value) {
			arg.Hash = keyedHash(name, value)
			if saysNothing(value) {
				arg.Value = value
			}
		}
		args = append(args, arg)
	}
	slices.SortFunc(args, func(a, b timeline.BuildArg) int { return cmp.Compare(a.Name, b.Name) })
	return args[:min(len(args), timeline.MaxArgs)]
}

// isSecret tells whether the name of an argument says that its value is, or the value does.
func isSecret(name, value string) bool {
	const sample = "4f9d1c7b2e8a6d3f"
	return redact.Text(name+"="+sample) != name+"="+sample || redact.Text(value) != value || redact.Text(name+"="+value) != name+"="+value
}

// keyedHash tells values of one name apart. It is too short to tell a guessed one for sure.
func keyedHash(name, value string) string {
	h := hmac.New(sha256.New, []byte("build-arg:"+name))
	h.Write([]byte(value))
	return hex.EncodeToString(h.Sum(nil))[:8]
}

// saysNothing tells whether a value may be shown: a switch, a version, or one of the usual
// names of a kind of build.
func saysNothing(value string) bool {
	switch strings.ToLower(value) {
	case "true", "false", "on", "off", "yes", "no", "0", "1", "dev", "development", "prod", "production",
		"debug", "release", "test", "testing", "staging", "ci", "amd64", "arm64", "linux":
		return true
	}
	return len(value) <= 12 && strings.Contains(value, ".") && strings.Trim(value, "v0123456789.") == ""
}

// cachesOf are the caches that a build was to read, out of the JSON that a record has.
func cachesOf(text string) (caches []string) {
	var list []struct {
		Type  string
		Attrs map[string]string
	}
	if text == "" || json.Unmarshal([]byte(text), &list) != nil {
		return nil
	}
	for _, c := range list[:min(len(list), 4)] {
		caches = append(caches, cleanFact(strings.TrimSpace(c.Type+" "+cmp.Or(c.Attrs["ref"], c.Attrs["scope"], c.Attrs["src"]))))
	}
	return caches
}

// exporterOf is how the results are written, without their names.
func exporterOf(exports []RecordedExport) string {
	var words []string
	for _, e := range exports[:min(len(exports), 4)] {
		word := []string{e.Type}
		for _, option := range []string{"push", "compression", "compression-level", "force-compression", "oci-mediatypes", "unpack", "store"} {
			if v, ok := e.Attrs[option]; ok {
				word = append(word, option+"="+v)
			}
		}
		words = append(words, strings.Join(word, " "))
	}
	return cleanFact(strings.Join(words, "; "))
}

// frontendOf is the frontend with what says its version.
func frontendOf(src *FactSource) string {
	name, tag, _ := strings.Cut(src.Frontend, ":")
	for _, material := range src.Materials {
		if tag != "" && material.URI == "pkg:docker/"+name+"@"+tag {
			return cleanFact(src.Frontend + " " + shortDigest(anyDigest(material.Digest)))
		}
	}
	return cleanFact(strings.TrimSpace(src.Frontend + " " + src.Version))
}

func anyDigest(digests map[string]string) string {
	for _, algorithm := range []string{"sha256", "sha1", "gitCommit", "sha512"} {
		if d := digests[algorithm]; d != "" {
			return algorithm + ":" + d
		}
	}
	return ""
}

func shortDigest(digest string) string { return digest[:min(len(digest), timeline.MaxDigest)] }

func cleanFact(text string) string { return fetch.Clean(text, timeline.MaxFact) }

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return short(sum[:])
}

// short is what is kept of a hash: enough to tell texts apart that are compared.
func short(sum []byte) string { return hex.EncodeToString(sum)[:12] }

// enumName is an enumeration that is a number or a name, "" for its first value.
func enumName(raw json.RawMessage) string {
	text := strings.Trim(string(raw), `"`)
	if text == "0" || text == "null" || text == "UNSET" || text == "BIND" || text == "SANDBOX" {
		return ""
	}
	return text
}

// canonical is an object as any builder would write it, "" for none: in order, and without
// what goes without saying.
func canonical(raw json.RawMessage) string {
	var object map[string]any
	if len(raw) == 0 || json.Unmarshal(raw, &object) != nil {
		return ""
	}
	for name, value := range object {
		if value == nil || value == false || value == 0.0 || value == "" {
			delete(object, name)
		}
	}
	text, _ := json.Marshal(object) // what was decoded
	return string(text)
}
