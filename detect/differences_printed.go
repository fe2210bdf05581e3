package detect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Causes that a step tells itself while it works: what it prints that it installs, where it
// was silent for long, and what its builder had to try again.

// Kinds of explanations that follow from what was printed.
const (
	KindDependency  Kind = "dependency"  // it installed other versions, or other packages
	KindPhase       Kind = "phase"       // where within the step the time went
	KindRegistry    Kind = "registry"    // one was in trouble, or refused requests
	KindCacheExport Kind = "cache-write" // more of a cache is written, or another one
)

// packages looks for versions that are not those that were installed before, by the step or
// by one that it is made from. A step that was cached printed nothing.
func (e *explainer) packages(d *differences, good *timeline.Build, was, now *timeline.Step, reached []*timeline.Step) {
	compared, found := 0, false
	for _, s := range reached {
		old := was
		if s != now {
			old = stepIn(good, s, "")
		}
		if old == nil || !tellsVersions(old) || !tellsVersions(s) {
			continue
		}
		compared++
		if sameVersions(old, s) {
			continue
		}
		found = true
		key := s.Key
		d.add(dependencyCause(old, s, s == now), e.often(func(older, newer *timeline.Build) bool {
			a, b := stepIn(older, &timeline.Step{Key: key}, ""), stepIn(newer, &timeline.Step{Key: key}, "")
			return a != nil && b != nil && tellsVersions(a) && tellsVersions(b) && !sameVersions(a, b)
		}))
	}
	if compared > 0 && !found {
		d.rule(KindDependency, "what it prints that it installs has the same versions")
	}
}

func tellsVersions(s *timeline.Step) bool {
	return s.State == timeline.Executed && s.Usage != nil && len(s.Usage.Versions) > 0
}

func sameVersions(a, b *timeline.Step) bool {
	return slices.Equal(a.Usage.Versions, b.Usage.Versions) && a.Usage.VersionsSum == b.Usage.VersionsSum
}

// dependencyCause is the cause that other versions are.
func dependencyCause(old, now *timeline.Step, direct bool) Explanation {
	const most = 5
	before, after := versionsOf(old), versionsOf(now)
	cut := old.Usage.VersionsSum != "" || now.Usage.VersionsSum != "" // what is missing may only be beyond the bound
	x := Explanation{Kind: KindDependency}
	told, more := "", 0
	tell := func(name, text string) {
		if told == "" {
			told = text
		} else {
			more++
		}
		if len(x.Evidence) < most {
			x.Evidence = append(x.Evidence, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if v, known := before[name]; known && v != after[name] {
			if told == "" {
				x.Before, x.After = name+" "+v, name+" "+after[name]
			}
			tell(name, fmt.Sprintf("%s (before: %s)", quoted(name+" "+after[name]), v))
		}
	}
	if !cut {
		for _, name := range slices.Sorted(maps.Keys(after)) {
			if _, known := before[name]; !known {
				tell(name, quoted(name+" "+after[name])+", which is new")
			}
		}
		for _, name := range slices.Sorted(maps.Keys(before)) {
			if _, still := after[name]; !still {
				tell(name, "no "+quoted(name)+" any more")
			}
		}
	}
	switch {
	case told == "":
		told = "other versions than before"
	case more == 1:
		told += " and another"
	case more > 1:
		told += fmt.Sprintf(" and %d others", more)
	}
	x.Text = "it installs " + told
	if !direct {
		x.Text = quoted(now.Name) + ", which it is made from, installs " + told
	}
	return x
}

// versionsOf are the versions of a step by the names of what has them.
func versionsOf(s *timeline.Step) map[string]string {
	of := make(map[string]string, len(s.Usage.Versions))
	for _, text := range s.Usage.Versions {
		if at := strings.LastIndexByte(text, ' '); at > 0 {
			of[text[:at]] = text[at+1:]
		}
	}
	return of
}

// phase is where within a step the time went, if it is in one silence that was never so
// long: usually it is the same two lines that stand around it; else no silence was.
func (e *explainer) phase(s *timeline.Step, r *StepResult) []Explanation {
	const part, grown, least = 0.5, 1.5, timeline.Seconds(5e8)
	if s.Usage == nil || r.Delta <= 0 {
		return nil
	}
	for _, gap := range s.Usage.Gaps {
		var same, longest []timeline.Seconds
		for i := e.ownFrom(); i < len(e.older); i++ {
			o := stepIn(&e.older[i], s, "")
			if o == nil || o.State != timeline.Executed || o.Usage == nil || len(o.Usage.Gaps) == 0 {
				continue
			}
			longest = append(longest, o.Usage.Gaps[0].Seconds)
			for _, g := range o.Usage.Gaps {
				if g.Before == gap.Before && g.After == gap.After {
					same = append(same, g.Seconds)
					break
				}
			}
		}
		if len(longest) < leastUsual {
			return nil
		}
		usual := longest
		if len(same) >= leastUsual {
			usual = same
		}
		more := gap.Seconds - middle(usual)
		if more < max(least, timeline.Seconds(part*float64(r.Delta))) || float64(gap.Seconds) < grown*float64(slices.Max(usual)) {
			continue
		}
		x := Explanation{Kind: KindPhase, Certainty: Is, After: gap.Seconds.String()}
		x.Text = fmt.Sprintf("it printed nothing for %s %s", gap.Seconds, between(gap))
		if len(same) >= leastUsual {
			x.Before = middle(same).String()
			x.Text += ", usually " + x.Before
		} else {
			x.Text += ", and never for more than " + slices.Max(longest).String() + " before"
		}
		return []Explanation{x}
	}
	return nil
}

// between says where a silence was.
func between(g timeline.Gap) string {
	switch {
	case g.Before == "" && g.After == "":
		return "at all"
	case g.Before == "":
		return "before " + quoted(g.After)
	case g.After == "":
		return "after " + quoted(g.Before)
	}
	return "between " + quoted(g.Before) + " and " + quoted(g.After)
}

// told are the causes that the builder tells of a step: trouble with a registry, and how
// much of a cache it writes. printed is what a step of the Dockerfile says of such trouble:
// it prints what it likes, and a test may print of a server that it only plays.
func (e *explainer) told(s *timeline.Step) (causes, printed []Explanation) {
	if s.Usage == nil {
		return nil, nil
	}
	builds := 0
	var retries, limited int64
	var layers []int64
	for i := e.ownFrom(); i < len(e.older); i++ {
		o := stepIn(&e.older[i], s, "")
		if o == nil || o.State != timeline.Executed {
			continue
		}
		if builds++; o.Usage != nil {
			retries, limited = max(retries, o.Usage.Retries), max(limited, o.Usage.Limited)
			if o.Usage.Layers > 0 {
				layers = append(layers, o.Usage.Layers)
			}
		}
	}
	if builds < leastUsual {
		return nil, nil
	}
	trouble := Explanation{Kind: KindRegistry, Certainty: Likely}
	refused := fmt.Sprintf("refused %s as too many (429)", counted(s.Usage.Limited, "request"))
	again := counted(s.Usage.Retries, "request")
	switch isMore := s.Usage.Retries > retries; {
	case s.Usage.Limited > limited:
		trouble.Before, trouble.After = fmt.Sprint(limited), fmt.Sprint(s.Usage.Limited)
		switch {
		case s.Count > 0:
			trouble.Text = "it printed that a server " + refused
		case isMore:
			trouble.Text = "a registry " + refused + ", and the builder tried " + again + " again"
		default:
			trouble.Text = "a registry " + refused
		}
	case isMore:
		trouble.Before, trouble.After = fmt.Sprint(retries), fmt.Sprint(s.Usage.Retries)
		trouble.Text = "a registry was in trouble: the builder tried " + again + " again"
		if s.Count > 0 {
			trouble.Text = "it printed that it tried " + again + " again"
		}
	}
	switch {
	case trouble.Text == "":
	case s.Count > 0:
		trouble.Certainty = Possible
		printed = append(printed, trouble)
	default:
		causes = append(causes, trouble)
	}
	if len(layers) >= leastUsual {
		if most := slices.Max(layers); s.Usage.Layers >= most+2 && float64(s.Usage.Layers) >= 1.5*float64(most) {
			causes = append(causes, Explanation{
				Kind: KindCacheExport, Certainty: Is, Before: fmt.Sprint(most), After: fmt.Sprint(s.Usage.Layers),
				Text: fmt.Sprintf("it writes a cache of %d layers, and never wrote more than %d before: mode=max writes those of all stages", s.Usage.Layers, most),
			})
		}
	}
	return causes, printed
}

func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
