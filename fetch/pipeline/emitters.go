package pipeline

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/fetch/attribute"
)

// An emitter is a program that writes traces of pipelines, with what has to be known of
// its traces. What a field does not say is as the semantic conventions have it.
type emitter struct {
	name string
	// marks are the beginnings of attributes that it alone writes; one on the root, or on a
	// span below it, tells whose the trace is.
	marks []string
	// run are attributes of which a root has one: a job that came without its run is none.
	run []string
	// ownRun are such attributes where they are the span's own.
	ownRun []string
	// runName is how a run's span is called, where no attribute tells a run.
	runName *regexp.Regexp
	// onResource tells that marks and run may stand on the resource; anybody, that programs
	// which a pipeline calls may have the same there.
	onResource, anybody bool
	// joins tells that it hangs its run below the span of whatever started it.
	joins bool

	cut       []string // beginnings of names that say no more than the level
	dropped   []string // names of levels that are always there, and parts of no path
	droppedBy string   // attribute of such levels
	name1st   []string // attributes with the name, where spans are called by their type
	stage     string   // attribute with the stage, where jobs are listed flat
	result    []string // attributes with the outcome, the first that is there
	message   bool     // the outcome is the status' message, before the attributes
	worst     bool     // a run that says no outcome ended as the worst of its parts

	queue      func(*span) bool // whether a span is a wait for a machine; nil if none is
	waited     string           // attribute with the time that a job waited
	waitUnit   time.Duration    // that it is counted in
	waitInside bool             // the job's span includes it; else it lies before the span

	shards     *regexp.Regexp // names of levels or jobs that it numbers: group 1 is the name, 2 the number, 3 how many if that is told
	parallel   string         // name of spans that are shards where they are called alike
	suffix     bool           // the second step of a name is called NAME-1
	superseded []string       // attributes of what was run again
	again      string         // attribute with the number of the attempt at a step
	background string         // attribute of steps that run beside the others
	hidden     []string       // attributes of spans that are not shown
	cached     map[string][]string
	noChange   bool           // vcs.change.id is not the number that people know
	version    bool           // the root's name ends with a version
	unnamed    bool           // a root without cicd.pipeline.name is called by its branch or commit
	foreign    *regexp.Regexp // names of jobs that are not the pipeline's
	ends       string
}

const receiverEnds = "the receiver writes it when the run ends: check from a workflow on workflow_run: completed"

// refusals are programs whose traces cannot be compared, by the service that wrote them.
var refusals = []struct {
	services []string
	names    *regexp.Regexp
	reason   string
}{
	{[]string{"workflows-controller", "argoexec"}, nil, "Argo Workflows names its spans by their type alone, with ids that are new in each run: no step can be told from another"},
	{nil, regexp.MustCompile(`^(?:PipelineRun|TaskRun):(?:Reconciler|ReconcileKind)|^(?:createPipelineRunStatus|reconcileKind)$`), "Tekton traces its controller, and not the tasks: no task's time is in it"},
}

// emitters are those that are known, the most particular first.
var emitters = []emitter{
	{
		name: "Jenkins", marks: []string{"jenkins.pipeline.", "ci.pipeline."}, run: []string{"ci.pipeline.id"},
		cut: []string{"BUILD ", "Stage: ", "Parallel branch: "}, dropped: []string{"Phase: Run", "Agent"},
		result: []string{"ci.pipeline.run.result", "jenkins.pipeline.step.result"},
		queue: func(s *span) bool {
			return s.Own["jenkins.pipeline.step.name"] == "agent.allocate" || s.Name == "Agent Allocation" && s.Own["jenkins.pipeline.step.type"] == "node"
		},
		ends: "Jenkins sends it when the build ends",
	},
	{
		name: "Buildkite", marks: []string{"buildkite."}, run: []string{"buildkite.build.number", "buildkite.pipeline.slug", "buildkite.pipeline"}, joins: true,
		dropped:   []string{"buildkite.build.stage", "buildkite.step.group", "buildkite.step"},
		droppedBy: "analytics.event", parallel: "buildkite.job",
		name1st: []string{"buildkite.step.key", "buildkite.job.label", "buildkite.step.label", "buildkite.job_label"},
		result:  []string{"buildkite.job.state", "buildkite.build.state", "buildkite.step.state"},
		waited:  "buildkite.job.wait_time_ms", waitUnit: time.Millisecond, waitInside: true,
		superseded: []string{"buildkite.job.retried_in_job_id"},
		ends:       "Buildkite sends it when the build ends",
	},
	{
		name: "CircleCI", marks: []string{"com.circleci."}, run: []string{"com.circleci.pipeline.id", "com.circleci.workflow.id"},
		cut:    []string{"Pipeline: ", "Workflow: ", "Job: ", "Step: "},
		result: []string{"cicd.pipeline.task.run.result", "com.circleci.job.status", "com.circleci.workflow.status", "cicd.pipeline.result"}, worst: true,
		shards: regexp.MustCompile(`^Task: (.+) - (\d+)$`), again: "com.circleci.step.auto_rerun_number", background: "com.circleci.step.background",
	},
	{
		name: "Grafana's GitHub receiver", marks: []string{"ci.github.workflow."}, run: []string{"ci.github.workflow.run.id"},
		result:     []string{"ci.github.workflow.job.step.conclusion", "ci.github.workflow.job.conclusion", "ci.github.workflow.run.conclusion"},
		onResource: true, foreign: regexp.MustCompile(`^check-run-`), ends: receiverEnds,
	},
	{
		name: "Thoth", marks: []string{"github.actions."}, run: []string{"github.actions.run_id", "github.actions.run.id", "github.actions.workflow"},
		result: []string{"github.actions.step.conclusion", "github.actions.job.conclusion", "github.actions.conclusion", "cicd.pipeline.task.run.result"},
	},
	{
		name: "otel-cicd-action", marks: []string{"github.job.", "github.run_attempt", "github.run_id"}, run: []string{"github.run_id"},
		result: []string{"github.job.step.conclusion", "cicd.pipeline.task.run.result", "github.job.conclusion", "cicd.pipeline.result", "github.conclusion"},
		queue: func(s *span) bool {
			return s.Name == "Queued" && s.Own["github.job.name"]+s.Own["github.job.step.name"] == ""
		},
	},
	{
		name: "GitLab", marks: []string{"pipeline.id", "pipeline.sha", "job.stage"}, run: []string{"pipeline.id"},
		unnamed: true, cut: []string{"pipeline: ", "job: "}, stage: "job.stage",
		result: []string{"job.status", "pipeline.status", "cicd.pipeline.task.run.result", "cicd.pipeline.result"},
		waited: "job.queued_duration", waitUnit: time.Second, shards: regexp.MustCompile(`^(.+?)[ :]+(\d+)/(\d+)$`),
	},
	{
		name: "GitLab's receiver", marks: []string{"gitlab."}, run: []string{"cicd.pipeline.run.id"}, onResource: true, unnamed: true,
		result: []string{"cicd.pipeline.task.run.result", "cicd.pipeline.result"},
		waited: "gitlab.job.queued_duration", waitUnit: time.Second, noChange: true, shards: regexp.MustCompile(`^(.+?)[ :]+(\d+)/(\d+)$`),
		ends: "the receiver writes it when the pipeline ends",
	},
	{
		name: "GitHub receiver", marks: []string{"cicd.pipeline.run.task.", "cicd.pipeline.worker.", "cicd.pipeline.run.queue.", "cicd.pipeline.run.sender.", "cicd.pipeline.run.status"},
		run: []string{"cicd.pipeline.run.id"}, onResource: true,
		result: []string{"cicd.pipeline.run.task.status", "cicd.pipeline.run.status"}, message: true,
		queue: func(s *span) bool {
			return s.Own["cicd.pipeline.run.queue.duration"] != "" || s.parent != nil && s.Name == "queue-"+s.parent.Name
		},
		waitInside: true, suffix: true, ends: receiverEnds,
	},
	{
		// A digest alone is on spans that others make of Dagger's as well.
		name: "Dagger", marks: []string{"dagger.io/dag.cached", "dagger.io/dag.inputs", "dagger.io/dag.output", "dagger.io/cache.", "dagger.io/ui.internal", "dagger.io/ui.encapsulate", "dagger.io/vcs."}, joins: true,
		hidden: []string{"dagger.io/ui.internal", "dagger.io/ui.passthrough"},
		cached: map[string][]string{"dagger.io/dag.cached": {"true"}, "dagger.io/cache.outcome": {"hit"}},
	},
	{name: "Maven", marks: []string{"maven."}, runName: regexp.MustCompile(`^Build: `), joins: true, cut: []string{"Build: "}, version: true},
	{
		name: "Gradle", marks: []string{"task.outcome", "task.path"}, runName: regexp.MustCompile(`-build$`), joins: true,
		cached: map[string][]string{"task.outcome": {"FROM-CACHE", "UP-TO-DATE"}}, result: []string{"task.outcome"},
	},
	{
		name: "OpenTelemetry's conventions", marks: []string{"cicd.pipeline."}, run: []string{"cicd.pipeline.result", "cicd.pipeline.run.id", "cicd.pipeline.run.state"},
		ownRun: []string{"cicd.pipeline.name"}, onResource: true, anybody: true, cut: []string{"RUN ", "BUILD ", "SYNC "},
		result: []string{"cicd.pipeline.task.run.result", "cicd.pipeline.result"},
		queue:  func(s *span) bool { return s.Own["cicd.pipeline.task.type"] == "queue" },
		ends:   "it is sent when the run ends",
	},
}

// A word is what an emitter says became of something.
type word int

const (
	unsaid word = iota
	worked
	left // it did not run, or not to an end that counts
	stopped
	failed
)

var words = map[string]word{
	"success": worked, "passed": worked, "completed": worked, "ok": worked, "from-cache": worked, "up-to-date": worked,
	"failure": failed, "failed": failed, "error": failed, "timeout": failed, "timed_out": failed, "unstable": failed, "startup_failure": failed, "infrastructure_fail": failed,
	"cancelled": stopped, "canceled": stopped, "cancellation": stopped, "aborted": stopped, "action_required": stopped, "canceling": stopped,
	"skip": left, "skipped": left, "not_built": left, "not_executed": left, "not_run": left, "manual": left, "created": left, "neutral": left, "scheduled": left, "no-source": left,
}

// wordOf is what an emitter says became of a span: the word goes before the status, of
// which no two make the same.
func (e *emitter) wordOf(s *span) word {
	if e.message {
		if w := words[strings.ToLower(s.Message)]; w != unsaid {
			return w
		}
	}
	keys := e.result
	if s.parent != nil {
		keys = nil
		for _, key := range e.result { // what a resource says of the run is not said of its parts
			if !strings.Contains(key, ".run.conclusion") && key != "cicd.pipeline.result" || s.Own[key] != "" {
				keys = append(keys, key)
			}
		}
	}
	if w := words[strings.ToLower(attribute.First(keys, s.Own, s.Shared))]; w != unsaid {
		return w
	}
	if s.Failed {
		return failed
	}
	return unsaid
}

// isMarked tells whether the emitter wrote one of the attributes.
func (e *emitter) isMarked(values attribute.Values) bool {
	for key := range values {
		for _, mark := range e.marks {
			if strings.HasPrefix(key, mark) {
				return true
			}
		}
	}
	return false
}

// isCached tells whether a step's work was spared.
func (e *emitter) isCached(s *span) bool {
	for key, list := range e.cached {
		if slices.Contains(list, s.Own[key]) {
			return true
		}
	}
	return false
}

// isQueue tells whether a span is the time that something waited for a machine.
func (e *emitter) isQueue(s *span) bool {
	return e.queue != nil && e.queue(s)
}

// waitedFor is how long a job waited for a machine, by its attributes.
func (e *emitter) waitedFor(s *span) time.Duration {
	const longest = 30 * 24 * 60 * 60 // seconds: GitHub and GitLab give up sooner
	if e.waited == "" {
		return 0
	}
	n, err := strconv.ParseFloat(s.Own[e.waited], 64)
	if err != nil || !(n > 0) || n*e.waitUnit.Seconds() > longest {
		return 0
	}
	return time.Duration(n * float64(e.waitUnit))
}
