package timeline

import (
	"path"
	"slices"
	"strings"
	"time"
)

// Facts are what can explain why a build took the time that it took. They never decide how
// long a step was, and a build without any is judged as one with them: nil is not known.
//
// What is the same in most builds (Facts, StepFacts) stands apart from what was measured
// (Machine, Usage): the first is stored once for all of them.

// Facts are what a build was made of, and by what.
type Facts struct {
	Sources  []Artifact `json:"sources,omitempty"`   // images, repositories and files from elsewhere, by name
	Args     []BuildArg `json:"args,omitempty"`      // build arguments, by name
	Frontend string     `json:"frontend,omitempty"`  // what read the Dockerfile, and its version where known
	Exporter string     `json:"exporter,omitempty"`  // how the result is written: the type, and its options
	CacheIn  []string   `json:"cache_in,omitempty"`  // caches that were to be read
	CacheOut []string   `json:"cache_out,omitempty"` // kinds of caches that were written
	Warnings []string   `json:"warnings,omitempty"`  // of the builder, on the Dockerfile
	Builder  *Builder   `json:"builder,omitempty"`   // nil where nobody could be asked
	Context  string     `json:"context,omitempty"`   // folder of the repository that is the build context; "" for its root
	Text     string     `json:"text,omitempty"`      // hash of the Dockerfile
}

// An Artifact is something that a build takes from elsewhere.
type Artifact struct {
	Name   string `json:"name"`   // "docker.io/library/golang:1.21 linux/amd64", without what the digest says
	Digest string `json:"digest"` // "sha256:…", shortened to MaxDigest bytes
}

// A Builder is the program that built, as it says itself when it is asked: no record tells.
type Builder struct {
	BuildKit string `json:"buildkit,omitempty"` // version
	Buildx   string `json:"buildx,omitempty"`   // version
	Driver   string `json:"driver,omitempty"`   // "docker-container"
	Node     string `json:"node,omitempty"`     // its name, "" for one that is made for a job
	Runner   string `json:"runner,omitempty"`   // image of the machine that it ran on, and its version
}

// A BuildArg is a build argument. Values may be secret: one is shown only if it says
// nothing, and compared by a hash with the name for a key.
type BuildArg struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"` // "" for one that is not to be shown
	Hash  string `json:"hash,omitempty"`  // "" where even that would tell too much
}

// A Machine is what was measured of the machine while the build ran. Shares are of the
// time, from 0 to 1.
type Machine struct {
	Window     Seconds  `json:"window_seconds"` // how long it was watched
	CPUs       float64  `json:"cpus,omitempty"`
	Model      string   `json:"cpu_model,omitempty"` // of the processors
	Memory     int64    `json:"memory_bytes,omitempty"`
	Available  int64    `json:"available_bytes,omitempty"`   // the least that was
	CPUWait    *float64 `json:"cpu_wait_share,omitempty"`    // in which something waited for a processor
	IOWait     *float64 `json:"io_wait_share,omitempty"`     // … for a disk
	MemoryWait *float64 `json:"memory_wait_share,omitempty"` // … for memory
	Steal      float64  `json:"steal_share,omitempty"`       // that a host gave to its other machines
}

// StepFacts are what a step was told to do.
type StepFacts struct {
	Op    string   `json:"op,omitempty"`    // hash of what was executed, the environment left out
	Env   string   `json:"env,omitempty"`   // hash of its environment, build arguments left out
	Args  []string `json:"args,omitempty"`  // names of the build arguments in its environment
	Reads []string `json:"reads,omitempty"` // paths of the build context that it reads itself; "/" is all of it
	Image string   `json:"image,omitempty"` // name of the Artifact that it is
}

// A Gap is a time in which a step printed nothing, between two lines. Digits in them are
// masked; Before is "" for the step's beginning, and After for its end.
type Gap struct {
	Before  string  `json:"before,omitempty"`
	After   string  `json:"after,omitempty"`
	Seconds Seconds `json:"seconds"`
}

// Usage is what a step used of the machine while it ran. A nil time was not measured.
type Usage struct {
	CPU        *Seconds `json:"cpu_seconds,omitempty"`
	CPUWait    *Seconds `json:"cpu_wait_seconds,omitempty"` // in which something of it waited for a processor
	IOWait     *Seconds `json:"io_wait_seconds,omitempty"`
	MemoryWait *Seconds `json:"memory_wait_seconds,omitempty"`
	Throttled  *Seconds `json:"throttled_seconds,omitempty"` // by a quota
	MemoryPeak int64    `json:"memory_peak_bytes,omitempty"`
	Swap       int64    `json:"swap_bytes,omitempty"`
	Read       int64    `json:"read_bytes,omitempty"`
	Written    int64    `json:"written_bytes,omitempty"`
	OOMKills   int64    `json:"oom_kills,omitempty"`
	Gaps       []Gap    `json:"gaps,omitempty"`        // the longest between what it printed, longest first
	Retries    int64    `json:"retries,omitempty"`     // of requests to a registry that failed
	Limited    int64    `json:"limited,omitempty"`     // requests that a registry refused as too many
	Layers     int64    `json:"layers,omitempty"`      // of a cache that it wrote
	Layer      int64    `json:"layer_bytes,omitempty"` // of the layer of the result that it made, compressed; 0 below MinLayer
	// Versions are what it printed that it installed, "libcurl 8.7.1-r0", by name: the first
	// MaxVersions of them. VersionsSum is a hash of all, where there are more.
	Versions    []string `json:"versions,omitempty"`
	VersionsSum string   `json:"versions_sum,omitempty"`
}

// IsZero tells whether nothing was measured.
func (u *Usage) IsZero() bool {
	return u.CPU == nil && u.CPUWait == nil && u.IOWait == nil && u.MemoryWait == nil && u.Throttled == nil && len(u.Gaps)+len(u.Versions) == 0 &&
		u.MemoryPeak|u.Swap|u.Read|u.Written|u.OOMKills|u.Retries|u.Limited|u.Layers|u.Layer == 0
}

// What is kept of facts: a build holds 8 kB of them at most.
const (
	MaxArtifacts = 12
	MaxArgs      = 16
	MaxReads     = 8 // of a step; one that reads more reads "/"
	MaxFact      = 120
	MaxVersions  = 40 // of a step
	MaxVersion   = 60
	MaxGaps      = 3 // of a step
	MaxLine      = 60
	MaxWarnings  = 6
	MaxDigest    = 23      // "sha256:" and 16 digits
	MinLayer     = 1 << 20 // bytes of a layer; what is less costs nobody anything
	// maxFacts bounds all facts of a build, in bytes as they are stored.
	maxFacts = 7 << 10
)

// DropFacts makes b a build of which nothing is known but its times.
func (b *Build) DropFacts() {
	b.Facts, b.Machine = nil, nil
	b.Steps = slices.Clone(b.Steps)
	for i := range b.Steps {
		b.Steps[i].Facts, b.Steps[i].Usage = nil, nil
	}
}

// BoundFacts leaves out the facts of a build that are beyond the bounds: those of its
// steps, the shortest first, as nobody asks why these took long.
func (b *Build) BoundFacts() {
	size := b.Facts.size()
	order := make([]int, 0, len(b.Steps))
	for i := range b.Steps {
		if s := &b.Steps[i]; s.Facts != nil || s.Usage != nil {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int {
		a, b := &b.Steps[x], &b.Steps[y]
		return int(min(max(b.Duration-a.Duration, -1), 1))
	})
	for _, i := range order {
		s := &b.Steps[i]
		if more := s.Facts.size() + s.Usage.size(); size+more <= maxFacts {
			size += more
			continue
		}
		s.Facts, s.Usage = nil, nil
	}
}

// size is about what the facts take as JSON.
func (f *Facts) size() int {
	if f == nil {
		return 0
	}
	n := 200 + len(f.Frontend) + len(f.Exporter) + len(f.Context) + len(f.Text)
	for _, a := range f.Sources {
		n += 25 + len(a.Name) + len(a.Digest)
	}
	for _, a := range f.Args {
		n += 32 + len(a.Name) + len(a.Value) + len(a.Hash)
	}
	for _, list := range [][]string{f.CacheIn, f.CacheOut, f.Warnings} {
		for _, text := range list {
			n += 3 + len(text)
		}
	}
	if b := f.Builder; b != nil {
		n += 70 + len(b.BuildKit) + len(b.Buildx) + len(b.Driver) + len(b.Node) + len(b.Runner)
	}
	return n
}

func (f *StepFacts) size() int {
	if f == nil {
		return 0
	}
	n := 50 + len(f.Op) + len(f.Env) + len(f.Image)
	for _, list := range [][]string{f.Args, f.Reads} {
		for _, text := range list {
			n += 3 + len(text)
		}
	}
	return n
}

func (u *Usage) size() int {
	if u == nil {
		return 0
	}
	n := 20
	for _, took := range []*Seconds{u.CPU, u.CPUWait, u.IOWait, u.MemoryWait, u.Throttled} {
		if took != nil {
			n += 35
		}
	}
	for _, number := range []int64{u.MemoryPeak, u.Swap, u.Read, u.Written, u.OOMKills, u.Retries, u.Limited, u.Layers, u.Layer} {
		if number > 0 {
			n += 30
		}
	}
	for _, g := range u.Gaps {
		n += 45 + len(g.Before) + len(g.After)
	}
	for _, version := range u.Versions {
		n += 3 + len(version)
	}
	return n
}

// Artifact is the one of a name, nil if there is none.
func (f *Facts) Artifact(name string) *Artifact {
	if f == nil {
		return nil
	}
	if i := slices.IndexFunc(f.Sources, func(a Artifact) bool { return a.Name == name }); i >= 0 {
		return &f.Sources[i]
	}
	return nil
}

// IsRead tells whether a file of the repository is read by a path of the build context,
// which is a folder there.
func IsRead(file, read, context string) bool {
	context = strings.Trim(path.Clean("/"+context), "/")
	if context != "" {
		inside, ok := strings.CutPrefix(file, context+"/")
		if !ok {
			return false
		}
		file = inside
	}
	read = strings.TrimPrefix(path.Clean("/"+read), "/")
	if read == "" || file == read || strings.HasPrefix(file, read+"/") {
		return true
	}
	if !strings.ContainsAny(read, "*?[") {
		return false
	}
	// A pattern names files, or folders of which all is read.
	parts := strings.Split(file, "/")
	depth := strings.Count(read, "/") + 1
	if len(parts) < depth {
		return false
	}
	matched, err := path.Match(read, strings.Join(parts[:depth], "/"))
	return err == nil && matched
}

// Plausible tells whether these can be measurements: a source may claim anything.
func (m *Machine) Plausible() bool {
	for _, share := range []*float64{m.CPUWait, m.IOWait, m.MemoryWait, &m.Steal} {
		if share != nil && !(*share >= 0 && *share <= 1) {
			return false
		}
	}
	return m.Window >= 0 && m.CPUs >= 0 && m.CPUs < 1e5 && m.Memory >= 0 && m.Available >= 0
}

// Plausible tells whether these can be measurements.
func (u *Usage) Plausible() bool {
	const year = Seconds(366 * 24 * time.Hour)
	for _, took := range []*Seconds{u.CPU, u.CPUWait, u.IOWait, u.MemoryWait, u.Throttled} {
		if took != nil && (*took < 0 || *took > 10*year) {
			return false
		}
	}
	for _, g := range u.Gaps {
		if g.Seconds < 0 || g.Seconds > 10*year {
			return false
		}
	}
	return min(u.MemoryPeak, u.Swap, u.Read, u.Written, u.OOMKills, u.Retries, u.Limited, u.Layers, u.Layer) >= 0
}
