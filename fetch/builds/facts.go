package builds

import (
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// cleanFacts are the facts of a build that anybody may have written, within the bounds.
func cleanFacts(f *timeline.Facts) *timeline.Facts {
	if f == nil {
		return nil
	}
	f.Sources = f.Sources[:min(len(f.Sources), timeline.MaxArtifacts)]
	f.Args = f.Args[:min(len(f.Args), timeline.MaxArgs)]
	f.CacheIn = f.CacheIn[:min(len(f.CacheIn), timeline.MaxArgs)]
	f.CacheOut = f.CacheOut[:min(len(f.CacheOut), timeline.MaxArgs)]
	f.Warnings = f.Warnings[:min(len(f.Warnings), timeline.MaxWarnings)]
	for i := range f.Sources {
		cleanAll(&f.Sources[i].Name, &f.Sources[i].Digest)
	}
	for i := range f.Args {
		cleanAll(&f.Args[i].Name, &f.Args[i].Value, &f.Args[i].Hash)
	}
	cleanList(f.CacheIn)
	cleanList(f.CacheOut)
	cleanList(f.Warnings)
	if b := f.Builder; b != nil {
		cleanAll(&b.BuildKit, &b.Buildx, &b.Driver, &b.Node, &b.Runner)
	}
	cleanAll(&f.Frontend, &f.Exporter, &f.Context, &f.Text)
	return f
}

// cleanStepFacts are those of a step.
func cleanStepFacts(f *timeline.StepFacts) *timeline.StepFacts {
	if f == nil {
		return nil
	}
	f.Args = f.Args[:min(len(f.Args), timeline.MaxArgs)]
	f.Reads = f.Reads[:min(len(f.Reads), timeline.MaxReads)]
	cleanList(f.Args)
	cleanList(f.Reads)
	cleanAll(&f.Op, &f.Env, &f.Image)
	return f
}

// cleanUsage is what was measured of a step, the lines that stand there fit to be shown.
func cleanUsage(u *timeline.Usage) *timeline.Usage {
	if u == nil {
		return nil
	}
	u.Gaps = u.Gaps[:min(len(u.Gaps), timeline.MaxGaps)]
	for i := range u.Gaps {
		cleanAll(&u.Gaps[i].Before, &u.Gaps[i].After)
	}
	u.Versions = u.Versions[:min(len(u.Versions), timeline.MaxVersions)]
	cleanList(u.Versions)
	cleanAll(&u.VersionsSum)
	return u
}

// cleanMachine is what was measured of a machine.
func cleanMachine(m *timeline.Machine) *timeline.Machine {
	if m != nil {
		cleanAll(&m.Model)
	}
	return m
}

func cleanAll(texts ...*string) {
	for _, text := range texts {
		*text = fetch.Clean(*text, timeline.MaxFact)
	}
}

func cleanList(list []string) {
	for i := range list {
		list[i] = fetch.Clean(list[i], timeline.MaxFact)
	}
}
