package command

import (
	"path"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A Dockerfile tells on which lines the instructions of a build stand, where its source
// does not.
type Dockerfile struct {
	name         string // path in the repository
	instructions []dockerfile.Instruction
}

// NewDockerfile makes one of its path in the repository and what it holds.
func NewDockerfile(name, text string) *Dockerfile {
	d := Dockerfile{fetch.Clean(name, buildkit.MaxName), dockerfile.Scan(text)}
	for i := range d.instructions { // as the names of steps are
		in := &d.instructions[i]
		in.Text, in.Body = fetch.Clean(in.Text, buildkit.MaxName), fetch.Clean(in.Body, buildkit.MaxName)
	}
	return &d
}

// locate gives the steps of a build their lines, where they are not known, and tells
// whether those of any are then. It comes after the judgement, for which a line
// means that the source has the text of the Dockerfile.
func (d *Dockerfile) locate(b *timeline.Build, r *detect.Result) (found bool) {
	if of := buildkit.DefinitionOf(b.Steps); of != "" && path.Base(of) != path.Base(d.name) {
		return false
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		if in, ok := dockerfile.Find(d.instructions, s.Name); ok && s.Source == (dockerfile.Position{}) {
			s.Source = dockerfile.Position{File: d.name, Line: in.Line}
		}
		found = found || s.Source != (dockerfile.Position{})
	}
	return found
}
