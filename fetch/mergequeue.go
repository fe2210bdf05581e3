package fetch

import "strings"

// MergeQueueTarget is the branch that a branch of GitHub's merge queue is to be
// merged into: "main" for "gh-readonly-queue/main/pr-7-3f9c2ab". ok is false for any
// other branch.
func MergeQueueTarget(branch string) (target string, ok bool) {
	rest, queued := strings.CutPrefix(branch, "gh-readonly-queue/")
	end := strings.LastIndex(rest, "/pr-")
	if !queued || end <= 0 {
		return "", false
	}
	return rest[:end], true
}
