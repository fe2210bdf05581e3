package detect

// A History is what one build is judged against. All its builds are successful,
// of the build's pipeline, and began before it; each list is newest first.
type History struct {
	Source string // where it came from, for people
	// BaseBranch is the branch whose builds are the baseline.
	BaseBranch string
	// Base holds the baseline: builds of the base branch itself, never of pull
	// requests. Older ones than the newest Thresholds.Window may be thinned out to
	// the steps that are rare among these, see Build.Steps.
	Base []Build
	// Other holds the newest successful build of each other branch, to fill up
	// a baseline that is too small.
	Other []Build
	// Branch holds the earlier builds of the build's own branch (or pull
	// request), at most 4, as evidence. Empty on the base branch.
	Branch []Build
}

// Judge compares one build with its history, step by step.
func Judge(build *Build, history *History, t Thresholds) Result {
	return Result{}
}

// Sum makes the report on several results. failOn holds the verdicts, statuses
// and "never" for which the exit code is 1.
func Sum(results []Result, failOn []string, notes []string) Report {
	return Report{}
}
