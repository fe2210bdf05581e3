package command

import (
	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/traces"
)

// addTraceLinks links the findings on b to its trace, and to the comparison with a
// typical build of its baseline.
func addTraceLinks(r *detect.Result, b *timeline.Build, h *detect.History, ui traces.UI) {
	if ui == "" || b.Trace == "" {
		return
	}
	compare := ui.Compare(traces.Typical(h.Base), b.Trace)
	ids := map[string]string{}
	for i := range b.Steps {
		ids[b.Steps[i].Key] = b.Steps[i].ID
	}
	for i := range r.Steps {
		step := &r.Steps[i]
		switch step.Status {
		case detect.StatusSlower, detect.StatusSuspect, detect.StatusFaster, detect.StatusOverBudget, detect.StatusCacheLost:
			step.Links.Trace, step.Links.Compare = ui.Trace(b.Trace, ids[step.Key]), compare
		}
	}
}
