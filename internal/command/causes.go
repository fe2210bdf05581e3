package command

import (
	"context"

	"github.com/buildregress/buildregress/internal/ci"
)

// changes are the files that differ between pairs of commits of the checkout in the
// working directory, each asked for once. A check asks for a few.
type changes map[[2]string]changed

type changed struct {
	files []string
	known bool
}

// maxPairs bounds what one check asks of git.
const maxPairs = 40

func (c *changes) between(ctx context.Context, e ci.Env, before, after string) (files []string, known bool) {
	pair := [2]string{before, after}
	found, asked := (*c)[pair]
	if !asked && len(*c) < maxPairs {
		if *c == nil {
			*c = changes{}
		}
		found.files, found.known = ci.ChangedFiles(ctx, e, ".", before, after)
		(*c)[pair] = found
	}
	return found.files, found.known
}
