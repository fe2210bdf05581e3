package pipeline

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// What steps are called, and by what they are the same in other runs.

// label is what a span is called in a path or as a step.
func (w *walk) label(s *span, siblings map[string]bool) string {
	name := s.Name
	for _, key := range w.name1st {
		if v := s.Own[key]; v != "" && (strings.HasPrefix(name, "buildkite.") || strings.Contains(name, "/")) {
			name = v
			break
		}
	}
	if matrix := s.Own["buildkite.job.matrix"]; matrix != "" && name != s.Name {
		name += " " + matrix
	}
	if base, number, ok := cutLast(name, "-"); w.suffix && ok && siblings[base] {
		if n, err := strconv.Atoi(number); err == nil && n > 0 && n < maxSteps {
			name = base
		}
	}
	return clean(w.trimmed(name))
}

// isDropped tells whether a span is of a level that is part of no path.
func (e *emitter) isDropped(s *span) bool {
	if e.shards != nil && e.shards.NumSubexp() == 2 && e.shards.MatchString(s.Name) {
		return true // the one shard that there is
	}
	return slices.Contains(e.dropped, s.Name) || e.droppedBy != "" && s.Own[e.droppedBy] != ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i > 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// clean makes a name fit to be stored and shown.
func clean(text string) string {
	if text = fetch.Clean(strings.Join(strings.Fields(text), " "), 200); text == "" {
		return "unnamed"
	}
	return text
}

// stageOf is the stage of a job's steps: what builders call phases has a meaning that a job
// of that name has not.
func stageOf(job string) string {
	switch job {
	case timeline.StagePull, timeline.StageUnpack, timeline.StageInternal, timeline.StageExport, timeline.StageWait, timeline.StageQueue, timeline.StageSetup, "push":
		return "job " + job
	}
	if strings.HasPrefix(job, "cache") {
		return "job " + job
	}
	return job
}

// key is the identity of a step. Names are many times the same.
func (w *walk) key(stage, name string) string {
	const none = "[-] "
	key, known := w.keys[name]
	if !known {
		key = dockerfile.Key("", "", name)
		w.keys[name] = key
	}
	if stage == "" {
		return key
	}
	return "[" + stage + "] " + strings.TrimPrefix(key, none)
}

// step makes a step of a span.
func (w *walk) step(s *span, path []string, name string, start, end time.Time) timeline.Step {
	stage := strings.Join(path, " / ")
	step := timeline.Step{Name: name, Stage: stageOf(stage), Key: w.key(stage, name), Start: start, Duration: end.Sub(start)}
	switch word := w.wordOf(s); {
	case w.isCached(s):
		step.State = timeline.Cached
	case word == failed:
		step.State, step.Error = timeline.StepFailed, fetch.Clean(cmp.Or(s.Message, "failed"), buildkit.MaxName)
	case word == stopped:
		step.State, step.Error = timeline.Interrupted, "it was cancelled"
	}
	if step.Duration < 0 || step.Duration > buildkit.MaxDuration {
		step.Duration, step.State, step.Error = 0, timeline.Interrupted, "it ended before it began, by the clock of its source"
		w.odd++
	}
	if name == WaitName && step.State != timeline.Interrupted {
		step.State, step.Error = timeline.Executed, ""
	}
	return step
}

// add adds a step, and returns its place.
func (w *walk) add(step timeline.Step, s *span) int {
	step.ID = strconv.Itoa(len(w.steps) + 1)
	w.steps = append(w.steps, step)
	w.spans = append(w.spans, s)
	return len(w.steps) - 1
}
