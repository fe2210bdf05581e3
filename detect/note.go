package detect

// Texts are for people, kinds are for programs: no text is ever read back to decide
// anything. Words may change at any time; a kind keeps its meaning.

// A Note is a remark on a build or a step, or the reason of a status or a verdict. The
// zero Note is none.
type Note struct {
	Kind Kind   `json:"kind"` // "" where it is not known
	Text string `json:"text"` // English, with names between backticks
}

// String is the text alone.
func (n Note) String() string { return n.Text }

// A Kind says what a Note or a Condition is about. There may be new ones in any version.
type Kind string

// Why a build has no verdict, and its steps have no status, or why its verdict is
// Unsure.
const (
	KindBuildFailed      Kind = "build-failed"
	KindBuildCancelled   Kind = "build-cancelled"
	KindNoSteps          Kind = "no-steps"                 // the build has none
	KindNoHistory        Kind = "no-history"               // no build, or no sample of the step, to compare with
	KindTooLittleHistory Kind = "short-history"            // fewer than Thresholds.MinHistory
	KindOtherImage       Kind = "looks-like-another-image" // most steps of the build are not in the baseline
	KindNothingJudged    Kind = "nothing-judged"           // no step that ran has enough history
	KindUnconfirmed      Kind = "unconfirmed"              // one build cannot prove what it shows
	KindRunnerOrChange   Kind = "runner-or-change"         // most steps are slower by one factor, and some are not
	KindSlowRunnerAgain  Kind = "slow-runner-again"        // in several builds of the branch running
)

// Why one step has its status.
const (
	KindIgnored      Kind = "ignored"       // the policy asks for it
	KindAccepted     Kind = "accepted"      // the policy says that a new level began
	KindEqualSteps   Kind = "equal-steps"   // which of several equal ones it is cannot be told
	KindOtherReader  Kind = "other-reader"  // an older version wrote its history, by another rule
	KindWaiting      Kind = "waiting"       // it is the time in which a job waited for a machine
	KindStepFailed   Kind = "step-failed"   //
	KindInterrupted  Kind = "interrupted"   // the build ended before it did
	KindNeverStarted Kind = "never-started" //
	KindNotRun       Kind = "not-run"       // a Trial has no new value
	KindLostUpstream Kind = "lost-upstream" // it ran because the cache was lost at a step before it
	KindGone         Kind = "gone"          // the newest build of the baseline had it
	KindBudget       Kind = "budget"        // it took longer than it may
	KindToldOnce     Kind = "told-once"     // it is told of a part of it, or of the step that it is a part of
)

// Why a step ran that is usually cached.
const (
	KindEdited         Kind = "edited"          // its instruction was
	KindNewInstruction Kind = "new-instruction" //
	KindChangedAbove   Kind = "changed-above"   // an instruction above it was edited, or is new
	KindFirstRun       Kind = "first-run"       // no trace has shown it before
	KindCopiedFiles    Kind = "copied-files"    // files that it copies changed
	KindMountedFiles   Kind = "mounted-files"   // files that it mounts may have changed
	KindUnexplained    Kind = "unexplained"     // nothing that the build shows changed
	KindColdCache      Kind = "cold-cache"      // nothing that is usually cached was found
)

// What else there is to say of a step (KindEdited and KindAccepted as well).
const (
	KindOwnThresholds Kind = "own-thresholds" // a rule of the policy gives it some
	KindLevelShift    Kind = "level-shift"    // only the history since a change of its level counts
	KindAlsoSlower    Kind = "also-slower"    // it is over its budget, and slower or suspect by its history
)

// What else there is to say of a build, or of all that was asked for.
const (
	KindUnmatched     Kind = "unmatched"      // an entry of the policy means nothing in these builds
	KindHistory       Kind = "history"        // what of the history could not be had
	KindBuilderRecord Kind = "builder-record" // what of it is in no store, but with the local builder
	KindUnread        Kind = "unread"         // builds of the source that could not be read
	KindUnknownBranch Kind = "unknown-branch" // nothing says the branch of a build
	KindNotRecorded   Kind = "not-recorded"   // in the store
	KindBakeAsOne     Kind = "bake-as-one"    // which target needs which step is not known: the bake is judged as one build

	KindMachineOverloaded Kind = "machine-overloaded" // something waited for a processor most of the time
	KindOtherMachine      Kind = "other-machine"      // than the baseline's builds had

	KindFailureIgnored Kind = "failure-ignored" // a step failed, and the build did not
)
