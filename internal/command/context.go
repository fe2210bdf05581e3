package command

import (
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// contextPipeline is what a build is called of which nothing tells more than the repository
// and the folder that its context came from, as of a progress log: "acme/shop services/web".
// It is "" where the context came from the builder's own machine.
func contextPipeline(b *timeline.Build) string {
	g, ok := buildkit.ContextOf(b)
	if !ok {
		return ""
	}
	return strings.TrimSpace(fetch.RepositoryName(g.Repository) + " " + g.Folder)
}

// byContext tells whether any of the builds is called as its context alone says. Then what
// they are compared with is, too: else two images of one repository would be one.
func byContext(targets []target) bool {
	for i := range targets {
		if b := &targets[i].Build; b.Pipeline == contextPipeline(b) {
			return true
		}
	}
	return false
}
