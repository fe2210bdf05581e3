package ci

import (
	"cmp"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// docs/configuration.md says who is believed about what, and that is how it is: whoever
// of flag, build, CI system and checkout speaks, of builds that stand apart in all ways
// that matter.
func TestWhoIsBelieved(t *testing.T) {
	data, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(data), "| Otherwise |\n|:--|:--|:--|:--|:--|:--|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if table == "" {
		t.Fatal("docs/configuration.md has no table of who is believed")
	}
	rows := map[string][]string{}
	for row := range strings.Lines(table) {
		c := strings.Split(strings.Trim(row, "|\n "), " | ")
		rows[c[0]] = c[1:]
	}
	now := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	all := func(p string) Identity {
		return Identity{Pipeline: p, Origin: timeline.Origin{Repository: p, Revision: p, Branch: p, PullRequest: p, URL: p, Runner: p}, BaseBranch: p, BaseRepository: p}
	}
	sources := []string{"flag", "build", "ci", "checkout"}
	for mask := range 16 {
		for _, state := range []string{"newest", "other", "old", "otherHead", "otherCheckout"} {
			var ids [4]Identity
			for i, s := range sources {
				if mask&(1<<i) != 0 {
					ids[i] = all(s)
				}
			}
			f := ids[0] // what flags and the checkout cannot say is taken out
			f.Repository, f.BaseRepository, f.PullRequest, f.URL = "", "", "", ""
			ck := Identity{Pipeline: ids[3].Pipeline, Origin: timeline.Origin{Revision: ids[3].Revision, Branch: ids[3].Branch}, BaseBranch: ids[3].BaseBranch}
			b := timeline.Build{Start: now.Add(-time.Hour), Pipeline: ids[1].Pipeline, Origin: ids[1].Origin}
			nm := &Resolver{given: f, CI: ids[2], checkout: ck, now: now, newest: b.Start}
			switch state {
			case "other":
				nm.newest = now
			case "old":
				b.Start = now.Add(-48 * time.Hour)
				nm.newest = b.Start
			case "otherHead":
				nm.newest = now
				if b.Revision == "" || ids[2].Revision == "" || f.Revision != "" {
					continue
				}
				nm.CI.Revision = b.Revision
			case "otherCheckout":
				nm.newest = now
				if b.Revision == "" || ck.Revision == "" || f.Revision != "" {
					continue
				}
				nm.checkout.Revision = b.Revision
			}
			cond := func(text string) bool {
				switch text {
				case "", "always":
					return true
				case "recent":
					return state != "old"
				case "this run":
					return state == "newest" || state == "otherHead"
				case "this commit": // newest, and nobody else knows the revision
					return state == "otherCheckout" || state == "newest" && ids[0].Revision+ids[1].Revision+ids[2].Revision == ""
				}
				return strings.HasPrefix(text, "`--")
			}
			nm.Resolve(&b)
			b.Pipeline = cmp.Or(b.Pipeline, nm.OfCheckout(&b))
			base, _ := nm.Base(&b)
			got := map[string]string{"pipeline": b.Pipeline, "repository": b.Repository, "revision": b.Revision, "branch": b.Branch, "base branch": base, "pull request": b.PullRequest, "url": b.URL, "runner": b.Runner}
			for field, g := range got {
				want, best := "", "9"
				for i, cell := range rows[field][:4] {
					rank, text, _ := strings.Cut(cell, " ")
					if rank == "–" || mask&(1<<i) == 0 || rank > best || !cond(text) {
						continue
					}
					want, best = sources[i], rank
				}
				if want == "" && field == "base branch" {
					want = "main"
				}
				if g != want && !(field == "revision" && strings.HasPrefix(state, "other")) {
					t.Errorf("%04b %s %s: %q, want %q", mask, state, field, g, want)
				}
			}
		}
	}
}
