package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What built is the same for all steps of a build: another one may be the reason of any
// change, and is rarely that of one.

// Kinds of explanations that are of the builder.
const (
	KindBuilder     Kind = "builder"      // BuildKit, Buildx or the driver is another, or the node
	KindRunnerImage Kind = "runner-image" // … or the image of the machine that it runs on
	KindWarning     Kind = "warning"      // the builder warns of something in the Dockerfile
)

// builtBy looks at what built, as far as both builds tell, and at what it warned of.
func (e *explainer) builtBy(d *differences, good, bad *timeline.Build) {
	compare := func(kind Kind, what string, of func(*timeline.Builder) string) {
		from := func(b *timeline.Build) string {
			if b.Facts == nil || b.Facts.Builder == nil {
				return ""
			}
			return of(b.Facts.Builder)
		}
		a, b := from(good), from(bad)
		switch {
		case a == "" || b == "":
		case a == b:
			d.rule(kind, what+" is the same")
		default:
			d.add(Explanation{Kind: kind, Text: fmt.Sprintf("%s changed (%s → %s)", what, quoted(a), quoted(b)), Before: a, After: b},
				e.often(func(x, y *timeline.Build) bool { return from(x) != "" && from(y) != "" && from(x) != from(y) }))
		}
	}
	compare(KindBuilder, "BuildKit", func(b *timeline.Builder) string { return b.BuildKit })
	compare(KindBuilder, "Buildx", func(b *timeline.Builder) string { return b.Buildx })
	compare(KindBuilder, "the builder's driver", func(b *timeline.Builder) string { return b.Driver })
	compare(KindBuilder, "the builder's node", func(b *timeline.Builder) string { return b.Node })
	compare(KindRunnerImage, "the runner's image", func(b *timeline.Builder) string { return b.Runner })
	e.warnings(d, good, bad)
}

// wrongPlatform is the builder's rule on a base image for another platform than what is
// built: all that runs in it is emulated.
const wrongPlatform = "InvalidBaseImagePlatform"

// warnings looks at what the builder warns of now, and did not before.
func (e *explainer) warnings(d *differences, good, bad *timeline.Build) {
	for _, text := range bad.Facts.Warnings {
		switch {
		case slices.Contains(good.Facts.Warnings, text):
		case strings.HasPrefix(text, wrongPlatform):
			d.add(Explanation{Kind: KindWarning, Text: "the builder warns, for the first time: " + quoted(text), After: text},
				e.often(func(x, y *timeline.Build) bool {
					return slices.Contains(x.Facts.Warnings, text) != slices.Contains(y.Facts.Warnings, text)
				}))
		default:
			d.rule(KindWarning, "new, and hardly the reason: the builder warns "+quoted(text))
		}
	}
}

// caches looks at the caches that are written, for the step that writes them.
func (e *explainer) caches(d *differences, good, bad *timeline.Build, now *timeline.Step) {
	if now.Stage != timeline.StageCacheExport {
		return
	}
	of := func(b *timeline.Build) string { return strings.Join(b.Facts.CacheOut, ", ") }
	if a, b := of(good), of(bad); a != b {
		d.add(Explanation{Kind: KindCacheExport, Text: fmt.Sprintf("another cache is written than before (%s → %s)", quoted(a), quoted(b)), Before: a, After: b},
			e.often(func(x, y *timeline.Build) bool { return of(x) != of(y) }))
		return
	}
	d.rule(KindCacheExport, "the caches that are written are the same kinds")
}
