package buildkit

import (
	"regexp"
	"strings"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// What is kept of a build outlives the version that read it. Whenever it changes what a
// kind of step is called, or which time is its, detect.ReaderVersion goes up by one, and
// the kind gets that number here: then its steps are not compared with what older
// versions wrote of them.

// remote are the instructions that fetch something: their time was that of their last
// interval before version 1, which could be the look at what had been fetched.
var remote = regexp.MustCompile(`^(?:ONBUILD )?(?:FROM |ADD (?:--\S+ )*(?:https?://|git@|git://|ssh://))`)

// rule is the version with which the name, the key or the time of such steps last
// changed, 0 if they never did.
func (i *stepInfo) rule() int {
	if stage := i.parsed.Stage; i.parsed.Count == 0 && (stage == pullStage || stage == unpackStage) { // 1: within FROM before
		return 1
	}
	if i.parsed.Stage == timeline.StageWait && i.parsed.Count == 0 { // 1: no steps before
		return 1
	}
	switch i.kind {
	case cacheImport, cacheExport: // 1: called exports, in part; and the times of remote
		return 1
	case clientOnly: // 1: no steps before
		return 1
	case push: // 1: from its first to its last status before
		return 1
	case internal:
		if i.isSource() || i.isLookup() { // 1: as those of remote
			return 1
		}
	case instruction:
		// 1: what is behind the end of a key, and versions in the name of a job, are in the
		// key; what changes with each build is not.
		if dockerfile.HasMatrix(i.parsed.Text) || i.cut || i.salted || remote.MatchString(i.parsed.Text) {
			return 1
		}
	}
	return 0
}

// isSource tells whether a vertex of a frontend loads what may be large.
func (i *stepInfo) isSource() bool {
	text := i.parsed.Text
	return strings.HasPrefix(text, "docker-image://") || strings.HasPrefix(text, "load git source ") ||
		strings.HasPrefix(text, "load build context") || strings.HasPrefix(i.parsed.Stage, "context ")
}

// isLookup tells whether a vertex of a frontend asks a registry about an image, which
// several stages may ask for.
func (i *stepInfo) isLookup() bool {
	return strings.HasPrefix(i.parsed.Text, "load metadata for ") || strings.HasPrefix(i.parsed.Text, "resolve image config for ")
}
