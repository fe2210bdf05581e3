package buildkit

import (
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/dockerfile"
)

// Logs hold one build after the other. Nothing in the progress says where one ends:
// the next shows by what it begins with, a Dockerfile or a context that is loaded once
// more, or a bake file.

// Between is what was seen since the last message of a Progress that is read from a log.
type Between int

const (
	Nothing  Between = iota
	Text             // lines of something else
	EndOfAll         // the builder's error, after which it says no more
)

// What a build begins with.
const (
	beginDefinition = "[internal] load build definition from "
	beginGit        = "[internal] load git source "
	beginRemote     = "[internal] load remote build context"
	beginBake       = "[internal] load local bake definition"
	beginRemoteBake = "[internal] load remote bake definition"
)

// IsNext tells whether a message on a vertex can only be of another build than the
// one, or the ones side by side, that were taken in before.
//
// Note: a Dockerfile that is loaded again is not enough. Old frontends load it twice
// before they begin to work, builds on several nodes once for each, and the targets of
// a bake may wait for each other.
func (p *Progress) IsNext(m Vertex, between Between) bool {
	if p.Empty() || p.vertices[m.Digest] != nil {
		return false
	}
	if between == EndOfAll {
		return true
	}
	begins := beginningOf(m.Name)
	if begins == "" {
		return false
	}
	again := p.begun[begins]
	switch {
	case begins == beginBake, begins == beginRemoteBake:
		return again || len(p.begun) > 1 || len(p.begun) == 1 && !p.begun[beginBake] && !p.begun[beginRemoteBake]
	case targetOf(m.Name) != "" && !again:
		return false
	case between == Text:
		return p.worked || again && p.settled()
	}
	return p.worked && p.settled()
}

// note keeps of a new vertex what tells the next build.
func (p *Progress) note(name string) {
	if begins := beginningOf(name); begins != "" {
		if p.begun == nil {
			p.begun = map[string]bool{}
		}
		p.begun[begins] = true
	}
	p.worked = p.worked || isWork(name)
}

// isWork tells whether a vertex is more than the beginning of a build.
func isWork(name string) bool {
	switch kindOf(name) {
	case export:
		return true
	case instruction: // or the preparation of one of the targets of a bake
		return !strings.HasSuffix(dockerfile.ParseName(name).Stage, " "+internalStage)
	}
	return false
}

// haveWorked tells whether the vertices of one build, or of one target of several, are
// more than its beginning.
func haveWorked(vertices []*vertex) bool {
	return slices.ContainsFunc(vertices, func(v *vertex) bool { return isWork(v.name) })
}

// beginningOf is what a vertex begins a build with, and for which target: "" if no
// build begins so.
func beginningOf(name string) string {
	target := targetOf(name)
	name = stripTarget(name, target)
	for _, begins := range []string{beginDefinition, beginGit, beginRemote, beginBake, beginRemoteBake} {
		if strings.HasPrefix(name, begins) {
			return target + begins
		}
	}
	return ""
}

// settled tells whether all vertices have ended.
func (p *Progress) settled() bool {
	for _, v := range p.order {
		if v.err == "" && (v.running() || v.neverStarted()) {
			return false
		}
	}
	return true
}

// Troubled tells whether a vertex has failed or has no end.
func (p *Progress) Troubled() bool {
	for _, v := range p.order {
		if v.err != "" && kindOf(v.name).fails() || v.running() || v.neverStarted() {
			return true
		}
	}
	return false
}

// IsError tells whether a message is the error of a vertex, of which it may be the first
// line.
func (p *Progress) IsError(message string) bool {
	return slices.ContainsFunc(p.order, func(v *vertex) bool {
		first, _, _ := strings.Cut(v.err, "\n")
		return first != "" && strings.HasSuffix(message, first)
	})
}
