package builds

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// id is the id of a build that was read as out: the one given, as long as that
// can be shown; else one that no other build has.
func (b *build) id(out *timeline.Build) string {
	switch {
	case out.ID != b.ID:
		// Two ids that are redacted or cut off may look the same.
		return "masked-" + hash(b.ID)
	case b.ID != "":
		return b.ID
	case out.Content != "":
		return timeline.ContentID(out.Content, out.Start)
	}
	// Builds of two pipelines may well begin in the same second.
	var text strings.Builder
	fmt.Fprintf(&text, "%q %q %d %d\n", b.Pipeline, b.Branch, out.Start.UnixNano(), out.Duration)
	for i := range b.Steps {
		fmt.Fprintf(&text, "%q %d\n", b.Steps[i].Name, out.Steps[i].Duration)
	}
	return timeline.ContentID(hash(text.String()), out.Start)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
