package traces

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A UI is where people look at traces: the address of Jaeger's, or any with
// {trace} in it, which stands for a trace's id.
type UI string

const place = "{trace}"

// Trace is where a step of a build is seen; find is what marks it there.
func (u UI) Trace(id, find string) string {
	if u == "" || id == "" {
		return ""
	}
	if strings.Contains(string(u), place) {
		return strings.ReplaceAll(string(u), place, id)
	}
	link := strings.TrimSuffix(string(u), "/") + "/trace/" + id
	if find != "" {
		link += "?uiFind=" + url.QueryEscape(find)
	}
	return link
}

// Compare is where two traces are seen beside each other.
func (u UI) Compare(usual, id string) string {
	if u == "" || id == "" || usual == "" || usual == id || strings.Contains(string(u), place) {
		return ""
	}
	return strings.TrimSuffix(string(u), "/") + "/trace/" + usual + "..." + id + "?cohort=" + usual + "&cohort=" + id
}

// Typical is the trace of the build of median duration, "" if no build has one.
func Typical(builds []timeline.Build) string {
	var with []*timeline.Build
	for i := range builds {
		if builds[i].Trace != "" {
			with = append(with, &builds[i])
		}
	}
	if len(with) == 0 {
		return ""
	}
	slices.SortFunc(with, func(a, b *timeline.Build) int {
		return cmp.Or(cmp.Compare(a.Duration, b.Duration), cmp.Compare(a.ID, b.ID))
	})
	return with[len(with)/2].Trace
}
