// Package timeline holds what a build is: its steps with their times, where it comes from,
// and what it was made of; and what follows from one build alone: what waited for what, its
// critical path, and what it would have taken without a step. Nothing is compared here.
package timeline

import (
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/enum"
)

// A Build is one run of a pipeline, as far as its source knows it. A zero field
// means that the source does not say.
type Build struct {
	// ID names the build uniquely: the record's ref, else the trace id and the
	// id of the build's root span, else a hash of its vertices and times.
	ID string
	// Aliases are other names under which the same build may have been recorded:
	// Trace is the 32 hex digits of its OpenTelemetry trace, Content a hash of
	// the digests of the vertices that ran. See SameBuild.
	Trace   string
	Content string

	Pipeline string // builds of one pipeline are compared with each other
	// Image is what of a repository was built, where Pipeline is not known, but that is:
	// Dockerfile, context, platform and target.
	Image string
	// Target is which of several targets of a bake it is, where one trace or log tells of
	// all of them. The pipeline ends with it. Where the build is Partial, steps of it may
	// stand in the builds of the others.
	Target string
	Origin
	Within *Within // the step of a run that made it, nil if that is not known; no store keeps it

	Start      time.Time
	Duration   time.Duration // wall time from first start to last end, not the sum of the steps
	Resolution time.Duration // what the source's clock counts in; 0 is finer than a millisecond
	Outcome    Outcome
	Error      string   // why it failed, as the builder put it
	Log        []string // the last lines that the failing step printed, oldest first

	// Reader is the ReaderVersion by which it was read out of its source; 0 where that
	// is not known, as of builds that another program wrote.
	Reader int

	// Partial is set where the source shows only what ran and the first cache
	// hits above it (a trace): a step that is absent from it may be cached.
	Partial bool
	Facts   *Facts   // what it was made of; nil where it is not known
	Machine *Machine // what was measured of its machine; nil where nothing was
	Steps   []Step   // in order of their start, then of their announcement
}

// Within is a step of another build, within which a build was made: a job's step that runs
// docker buildx build.
type Within struct {
	Build string `json:"build"` // ID
	Step  string `json:"step"`  // Key
}

// ReaderVersion counts the changes of how builds are read: of what is a step, what it is
// called and which time it has. Builds are kept for long, and what an older version
// wrote is compared with what this one reads only where the rule is still the same.
//
// Version 1 is the first that is counted. Builds that were read before have none.
const ReaderVersion = 1

// An Origin says what was built, and where. An empty field is not known.
type Origin struct {
	Repository  string `json:"repository"`   // of the head, as "owner/name" or a URL without credentials
	Revision    string `json:"revision"`     // commit
	Branch      string `json:"branch"`       // of the head, without "refs/heads/"
	PullRequest string `json:"pull_request"` // its number, "" for a build of no pull request
	URL         string `json:"url"`          // where people see the build
	Runner      string `json:"runner"`       // class of the machine, such as "Linux/X64"
}

// Texts are the fields of o, to be written to.
func (o *Origin) Texts() []*string {
	return []*string{&o.Repository, &o.Revision, &o.Branch, &o.PullRequest, &o.URL, &o.Runner}
}

// Fill sets the fields of o that are empty to those of from, and tells whether that
// changed any.
func (o *Origin) Fill(from Origin) (filled bool) {
	texts := from.Texts()
	for i, text := range o.Texts() {
		if *text == "" && *texts[i] != "" {
			*text, filled = *texts[i], true
		}
	}
	return filled
}

// A Step is one timed unit of work in a build: an instruction of the Dockerfile,
// or a phase such as loading the context, exporting or pushing.
//
// What is read of each step of each build of a history comes first, together.
type Step struct {
	Key      string // identity across builds, see dockerfile.Key
	Name     string // as the source shows it, credentials masked
	Platform string // such as "linux/arm64", "" for the only one
	Stage    string // "" for an unnamed stage; "internal", "export", "push" and so on for phases
	Index    int    // i of "[stage i/n]", 0 if there is none
	Count    int    // n of "[stage i/n]", 0 if there is none
	Source   dockerfile.Position

	// Duration is the time the step took: to execute, if it was executed; to load
	// its result, if it was cached. Not below 0, or it is judged as 0.
	Duration time.Duration
	State    State

	// Body tells the step from others of its key, where its source knows more than the
	// name shows: a hash of the body of a heredoc. "" is not known.
	Body string

	// Text is the instruction as its author wrote it, in one line, where its source knows
	// that and neither Name nor Key says all of it: with variables, or the body of a heredoc.
	Text string

	// Rule is the ReaderVersion with which it last changed how steps of this kind are
	// named or timed, 0 if it never did. Under another rule a step is another one.
	Rule int

	ID     string   // unique within the build, such as a shortened vertex digest; "" if the source has none
	Inputs []string // IDs of the steps that it waited for
	Start  time.Time
	Bytes  int64 // moved by a transfer, 0 if unknown
	Error  string

	Facts *StepFacts // what it was told to do; nil where it is not known
	Usage *Usage     // what it used of the machine; nil where nothing was measured
}

// Stages of the steps that are parts of another: what of fetching an image is moving its
// layers, and what unpacking them. The step that waits for one has its time within its own.
const (
	StagePull   = "pull"
	StageUnpack = "unpack"
)

// StageInternal is the stage of what a frontend needs before it works: the definition, the
// context, what a registry says of an image.
const StageInternal = "internal"

// Stages of what a build writes at its end: its result, and its cache.
const (
	StageExport      = "export"
	StagePush        = "push"
	StageCacheExport = "cache export"
)

// IsWriting tells whether the step writes the result of the build, or its cache. Where it
// writes that to is what it is: to a folder is no edit of to a registry.
func (s *Step) IsWriting() bool {
	return s.Index == 0 && s.Count == 0 && (s.Stage == StageExport || s.Stage == StageCacheExport)
}

// StageWait is the stage of what lies between steps and is known for what it is by these
// alone, such as the computing of a cache key. The step that has one for an input waited
// for it.
const StageWait = "wait"

// IsWait tells whether the step is no work, but what lay between steps or before a job.
func (s *Step) IsWait() bool {
	return s.Index == 0 && s.Count == 0 && (s.Stage == StageWait || s.Stage == StageQueue)
}

// StageQueue is the stage of the time in which a job of a pipeline waited for a machine:
// nobody's work, and no commit's fault.
const StageQueue = "queue"

// IsQueue tells whether the step is the wait of a job for a machine.
func (s *Step) IsQueue() bool { return s.Index == 0 && s.Count == 0 && s.Stage == StageQueue }

// StageSetup is the stage of what went on in a job before its first step, of which its
// source says no more: it is judged, and tells nothing of how fast the machine is.
const StageSetup = "setup"

// TellsOfMachine tells whether the time of a step is work, which a slow machine slows down.
func (s *Step) TellsOfMachine() bool {
	return !s.IsWait() && (s.Stage != StageSetup || s.Index != 0 || s.Count != 0)
}

// IsPart tells whether the step is a part of the one that waits for it.
func (s *Step) IsPart() bool {
	return s.Index == 0 && s.Count == 0 && (s.Stage == StagePull || s.Stage == StageUnpack)
}

// TimeWithin is what of the step's time is in the build's: another build may have begun it.
// A step that is over before its build begins tells that their clocks are two, and that
// nothing is known of this.
func (s *Step) TimeWithin(b *Build) time.Duration {
	before := b.Start.Sub(s.Start)
	if s.Start.IsZero() || b.Start.IsZero() || before <= 0 || before >= s.Duration {
		return s.Duration
	}
	return s.Duration - before
}

// An Outcome says how a build ended.
type Outcome int

// Only builds that are OK are history, and only they are judged.
const (
	OK Outcome = iota
	Failed
	Cancelled
)

var outcomeNames = []string{"ok", "failed", "cancelled"}

func (o Outcome) String() string                { return enum.Text(outcomeNames, int(o)) }
func (o Outcome) MarshalText() ([]byte, error)  { return []byte(o.String()), nil }
func (o *Outcome) UnmarshalText(b []byte) error { return enum.Parse(outcomeNames, b, "outcome", o) }

// A State says what became of a step.
type State int

const (
	Executed State = iota
	Cached
	StepFailed
	NeverStarted
	Interrupted // it was going on when its build ended: it has no result, and is not at fault
)

var stateNames = []string{"executed", "cached", "failed", "never-started", "interrupted"}

// HasNoResult tells whether the step ran and has no result.
func (s State) HasNoResult() bool { return s == StepFailed || s == Interrupted }

func (s State) String() string                { return enum.Text(stateNames, int(s)) }
func (s State) MarshalText() ([]byte, error)  { return []byte(s.String()), nil }
func (s *State) UnmarshalText(b []byte) error { return enum.Parse(stateNames, b, "state", s) }

// SameBuild tells whether a and b are two recordings of one build. Equal ids
// decide it, unless they are of two nodes. Otherwise the same vertices must have run in it (Content), under
// the same trace where both have one; and where one has no trace, it must be
// a recording that knows no better id than its content, begun at the same time.
func SameBuild(a, b *Build) bool {
	if a.ID == b.ID {
		return !a.isOtherNode(b)
	}
	// The clocks of two sources of one build differ by milliseconds; two builds of the same
	// vertices cannot begin so close together on one builder, as the second would wait
	// for the first.
	const together = 250 * time.Millisecond
	atOnce := a.Start.Sub(b.Start).Abs() < together
	if a.Partial != b.Partial && a.Target+b.Target != "" && a.Pipeline == b.Pipeline && a.Trace != "" && a.Trace == b.Trace && atOnce {
		return true // of one target of a bake the trace lacks what it shares
	}
	if a.Content == "" || a.Content != b.Content {
		return false
	}
	if a.ID == b.NodeID() || b.ID == a.NodeID() {
		return true
	}
	if a.Trace != "" && b.Trace != "" {
		return a.Trace == b.Trace
	}
	return (a.named() != b.named() || !a.named()) && atOnce
}

// isOtherNode tells whether b and c, which have one id, are of two nodes of one builder,
// each of which built for other platforms: both were recorded whole, and other vertices
// ran. Of two readers none knows what the other took for one.
func (b *Build) isOtherNode(c *Build) bool {
	return b.Content != c.Content && b.Content != "" && c.Content != "" && !b.Partial && !c.Partial && b.Reader == c.Reader
}

// NodeID is an id for a build that has that of another node's.
func (b *Build) NodeID() string { return b.ID + "-" + b.Content }

// named tells whether the source gave the build an id of its own.
func (b *Build) named() bool { return b.ID != "" && b.ID != ContentID(b.Content, b.Start) }

// ContentID is the id of a build whose source has none: the hash of the
// vertices that ran, and the start.
func ContentID(content string, start time.Time) string {
	return content + "-" + start.UTC().Format("20060102T150405.000000000")
}
