package github

import (
	"context"
	"time"

	gh "github.com/google/go-github/v60/github"
)

// maxCompared is how many files GitHub tells of a comparison; of one with as many there may
// be more.
const maxCompared = 300

// ChangedFiles are the paths that a commit of owner/name changed since it went apart from
// another one, which may be of a fork, as GitHub itself says. known is false where there are
// too many, or the second commit is the older.
func ChangedFiles(ctx context.Context, c *gh.Client, now func() time.Time, owner, name, before, after string) (files []string, known bool, err error) {
	// All files stand on the first page, however few commits are to be there.
	comparison, resp, err := c.Repositories.CompareCommits(ctx, owner, name, before, after, &gh.ListOptions{PerPage: 1})
	if err != nil {
		s := source{Options: Options{Owner: owner, Name: name, Now: now}}
		return nil, false, s.wrapError("a comparison of commits", resp, err)
	}
	switch comparison.GetStatus() {
	case "identical":
		return nil, true, nil
	case "ahead", "diverged":
	default:
		return nil, false, nil
	}
	if len(comparison.Files) >= maxCompared {
		return nil, false, nil
	}
	for _, f := range comparison.Files {
		for _, path := range []string{f.GetPreviousFilename(), f.GetFilename()} {
			if path != "" {
				files = append(files, path)
			}
		}
	}
	return files, true, nil
}
