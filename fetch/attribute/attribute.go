// Package attribute knows the attributes by which CI pipelines' traces are read: which of
// all that spans and resources carry are kept, and the names under which emitters write
// one and the same fact.
package attribute

import "strings"

// What is kept of one span, or of one resource. Real ones have some fifty attributes.
const (
	MaxKept  = 200     // attributes
	MaxValue = 2 << 10 // bytes of a value
)

// prefixes are those of the attributes that emitters of pipelines write.
var prefixes = []string{
	"cicd.", "vcs.", "ci.github.", "ci.pipeline.", "github.", "scm.git.", "git.", "jenkins.pipeline.", "buildkite.", "com.circleci.",
	"gitlab.", "pipeline.", "job.", "maven.", "task.", "dagger.io/", "service.", "node_", "analytics.event",
}

// IsKept tells whether an attribute is one that emitters of pipelines write.
func IsKept(key string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// Values are attributes that were kept, by name.
type Values map[string]string

// Keep adds an attribute if it is one that is kept, and makes the map where there is none.
func (v *Values) Keep(key, value string) {
	if value == "" || !IsKept(key) {
		return
	}
	if *v == nil {
		*v = Values{}
	}
	if len(*v) < MaxKept && len(value) <= MaxValue {
		(*v)[key] = value
	}
}

// requests are the prefixes of attributes of calls, which are no steps of a pipeline.
var requests = []string{"http.", "url.", "rpc.", "db.", "messaging."}

// IsRequest tells whether an attribute is one of calls of other programs.
func IsRequest(key string) bool {
	for _, prefix := range requests {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// A Fact is something that several emitters tell, each under a name of its own.
type Fact int

// The facts of a run. Those of a job are told by Runner alone.
const (
	Pipeline Fact = iota
	Repository
	Revision
	Branch
	PullRequest
	Base
	RunID
	Attempt
	URL
	Runner
)

// Aliases are the attributes that tell each fact, the first hit wins.
var Aliases = map[Fact][]string{
	Pipeline:    {"cicd.pipeline.name", "ci.github.workflow.run.name", "ci.pipeline.id", "buildkite.pipeline.slug", "pipeline.name"},
	Repository:  {"vcs.repository.url.full", "scm.git.repo", "buildkite.pipeline.repo", "git.repository"},
	Revision:    {"vcs.ref.head.revision", "github.head_sha", "ci.github.workflow.run.head_sha", "buildkite.build.commit", "pipeline.sha"},
	Branch:      {"vcs.ref.head.name", "vcs.ref.head", "github.head_branch", "ci.github.workflow.run.head_branch", "buildkite.build.branch", "pipeline.ref"},
	PullRequest: {"vcs.change.id", "github.pull_requests.0.number"},
	Base:        {"vcs.ref.base.name"},
	RunID:       {"cicd.pipeline.run.id", "github.run_id", "ci.github.workflow.run.id", "ci.pipeline.run.number", "buildkite.build.number", "pipeline.id"},
	Attempt:     {"github.run_attempt", "ci.github.workflow.run.run_attempt"},
	URL:         {"cicd.pipeline.run.url.full", "ci.pipeline.run.url", "github.html_url", "ci.github.workflow.run.html_url", "buildkite.build.web_url"},
	Runner:      {"cicd.pipeline.worker.labels", "github.job.labels", "ci.github.workflow.job.labels", "buildkite.agent.queue", "com.circleci.resource.class"},
}

// Of is what a span says of a fact: by itself, else by its resource.
func Of(fact Fact, own, resource Values) string { return First(Aliases[fact], own, resource) }

// First is the first of the attributes that a span has by itself, or else by its resource.
func First(keys []string, own, resource Values) string {
	for _, key := range keys {
		if v := own[key]; v != "" {
			return v
		}
		if v := resource[key]; v != "" {
			return v
		}
	}
	return ""
}
