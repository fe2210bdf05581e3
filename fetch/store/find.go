package store

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/buildregress/buildregress/detect/timeline"
)

// leastPrefix is how many letters of a revision name a build: fewer are of too many.
const leastPrefix = 4

// Find are the builds that a name means, newest first, whole: that of an id, or of its last
// part; else those of a revision, or of its first letters. pipeline is "" for any.
func (s *Store) Find(ctx context.Context, pipeline, name string) (out []timeline.Build, err error) {
	name = clean(name)
	out, err = s.find(ctx, pipeline, 8, "b.ref = ? OR substr(b.ref, length(b.ref) - ?) = ?", name, utf8.RuneCountInString(name), "/"+name)
	if err != nil || len(out) > 0 || len(name) < leastPrefix {
		return out, err
	}
	name = strings.ToLower(name)
	return s.find(ctx, pipeline, 8, "substr(b.revision, 1, ?) = ?", utf8.RuneCountInString(name), name)
}

// Before are the newest builds of the pipeline and the branch, or pull request, of b that
// began before it; of no build those of any branch.
func (s *Store) Before(ctx context.Context, b *timeline.Build, limit int) ([]timeline.Build, error) {
	if b.ID == "" {
		return s.find(ctx, b.Pipeline, limit, "TRUE")
	}
	return s.find(ctx, b.Pipeline, limit, "b.start < ? AND l.branch = ? AND l.pull_request = ?",
		instant(b.Start), clean(b.Branch), clean(b.PullRequest))
}

func (s *Store) find(ctx context.Context, pipeline string, limit int, condition string, args ...any) (out []timeline.Build, err error) {
	pipeline = clean(pipeline)
	err = s.read(ctx, func(tx *txn) error {
		found, err := queryBuilds(ctx, tx, "WHERE b.kept <> 1 AND (? = '' OR p.name = ?) AND ("+condition+") ORDER BY b.start DESC, b.ref DESC LIMIT ?",
			append(append([]any{pipeline, pipeline}, args...), limit)...)
		if err != nil {
			return err
		}
		for i := range found {
			if found[i].Steps, err = stepsOf(ctx, tx, found[i].id); err != nil {
				return err
			}
			out = append(out, found[i].Build)
		}
		return nil
	})
	return out, err
}
