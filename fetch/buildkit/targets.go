package buildkit

import (
	"maps"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// maxTargets is how many targets one bake may have. Real ones have tens.
const maxTargets = 1000

// Builds makes the builds of a Progress: one, or one for each target that a bake built
// side by side. Each of them tells of all vertices that it needs, so that those which
// several need have a name of each.
//
// Note: there the progress puts the target's name into every name: "[api 2/3]",
// "[api build 2/3]", "[api] exporting to image". Only a definition is sure to
// tell a target from a stage: no stage stands in front of it.
func (p *Progress) Builds(m Metadata) ([]timeline.Build, []error) {
	isTarget := map[string]bool{}
	for _, v := range p.order {
		for _, name := range v.names {
			if t := targetOf(name); t != "" {
				isTarget[t] = true
			}
		}
	}
	if len(isTarget) == 0 || len(isTarget) > maxTargets {
		b, warnings := p.Build(m)
		return []timeline.Build{b}, warnings
	}
	names := slices.Sorted(maps.Keys(isTarget))
	groups := map[string][]*vertex{}
	for _, v := range p.order {
		if len(names) == 1 {
			groups[names[0]] = append(groups[names[0]], v)
			continue
		}
		for _, name := range v.names {
			if t := firstWord(name); isTarget[t] {
				groups[t] = append(groups[t], v)
			}
		}
	}
	var builds []timeline.Build
	var warnings []error
	for _, name := range names {
		b, w := p.build(m.forTarget(name), groups[name], name)
		if len(names) > 1 {
			b.Target = name
		}
		builds = append(builds, b)
		warnings = append(warnings, w...)
	}
	return builds, warnings
}

// nameFor is the name that the vertex has for a target, without that; its only one for "".
func (v *vertex) nameFor(target string) string {
	if target != "" {
		for _, name := range v.names {
			if firstWord(name) == target {
				return stripTarget(name, target)
			}
		}
	}
	return stripTarget(v.name, target)
}

// forTarget is the metadata of one target. If the error names another, which
// made bake call this one off, only its own vertices tell how it ended.
func (m Metadata) forTarget(name string) Metadata {
	m.BakeTarget = name
	rest, isOfTarget := strings.CutPrefix(m.Error, "target ")
	culprit, message, ok := strings.Cut(rest, ": ")
	switch {
	case !isOfTarget || !ok:
	case culprit == name:
		m.Error = strings.TrimPrefix(message, "failed to solve: ")
	default:
		m.Error, m.Cancelled = "", false
	}
	return m
}

// targetOf is the target in the name of a vertex that loads a definition.
func targetOf(name string) string {
	if t := firstWord(name); t != "" && strings.HasPrefix(name, "["+t+" internal] load build definition from ") {
		return t
	}
	return ""
}

// firstWord is the first word of what stands in brackets in front of a name.
func firstWord(name string) string {
	rest, ok := strings.CutPrefix(name, "[")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, " ]"); end >= 0 {
		return rest[:end]
	}
	return ""
}

// stripTarget takes a target's name off the front of a vertex name.
func stripTarget(name, target string) string {
	if target == "" {
		return name
	}
	if rest, ok := strings.CutPrefix(name, "["+target+"] "); ok {
		return rest
	}
	if rest, ok := strings.CutPrefix(name, "["+target+" "); ok {
		return "[" + rest
	}
	return name
}
