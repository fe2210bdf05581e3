package advice

import (
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A cache mount that is empty in each build, as on a builder that is made for one: the step
// prints that it fetches what it had put there before. Of Go alone is that known: it prints no
// more than what it fetches.

// modules are where Go keeps what it fetched.
const modules = "/pkg/mod"

// mounts are what the steps are worth whose cache mounts are empty each time.
func (a *adviser) mounts() (all []Advice) {
	for _, id := range a.onPaths() {
		saved := make([]time.Duration, len(a.builds))
		var last []string
		ran, again, packages := 0, 0, 0
		for i := range a.builds {
			b := &a.builds[i]
			k, ok := b.at[id]
			if !ok || b.Steps[k].State != timeline.Executed {
				continue
			}
			ran++
			now := fetchedIntoMount(&b.Steps[k])
			if len(now) == 0 {
				continue
			}
			if mostly(now, last) {
				again++
				packages += len(now)
				saved[i] = b.Without(k)
			}
			last = now
		}
		// Once is the first time.
		if again < MinBuilds-1 || again < ran-1-ran/10 {
			continue
		}
		if x, ok := a.advice(Mounts, []int{id}, saved); ok {
			x.Tool, x.Packages = "go", packages/again
			all = append(all, x)
		}
	}
	return all
}

// fetchedIntoMount are what a step printed that it fetches into a folder that should have been
// kept.
func fetchedIntoMount(s *timeline.Step) []string {
	if s.Usage == nil || !slices.ContainsFunc(dockerfile.CacheMounts(instructionOf(s)), func(target string) bool {
		return strings.HasSuffix(strings.TrimSuffix(target, "/"), modules)
	}) {
		return nil
	}
	// Modules have a path with a host in it; what else a step installs has none.
	var out []string
	for _, v := range s.Usage.Versions {
		if host, _, _ := strings.Cut(v, "/"); strings.Contains(host, ".") && !strings.Contains(host, " ") {
			out = append(out, v)
		}
	}
	return out
}

// mostly tells whether most of what there is, was there before.
func mostly(now, before []string) bool {
	const share = 0.8
	same := 0
	for _, v := range now {
		if slices.Contains(before, v) {
			same++
		}
	}
	return same > 0 && float64(same) >= share*float64(len(now))
}
