package github

import (
	"encoding/json"
	"testing"

	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	gh "github.com/google/go-github/v60/github"
)

// FuzzJobs reads jobs, whose names and steps anybody can write who makes a pull
// request, as builds.
func FuzzJobs(f *testing.F) {
	f.Add([]byte(`{"jobs":[{"id":1,"name":"image","status":"completed","conclusion":"success","started_at":"2026-01-01T00:00:00Z","labels":["ubuntu-latest"],
		"steps":[{"name":"Build","number":1,"status":"completed","conclusion":"success","started_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-01T00:01:00Z"},
		{"name":"Test","number":2,"status":"completed","conclusion":"failure","started_at":"2026-01-01T00:01:00Z","completed_at":"2026-01-01T00:00:30Z"}]}]}`))
	f.Add([]byte(`{"jobs":[null,{"name":"\u0000","steps":[null,{"status":"completed","started_at":"0001-01-01T00:00:00Z","completed_at":"9999-12-31T00:00:00Z"}]}]}`))
	f.Add([]byte(`{"jobs":[{"started_at":0,"steps":[{"status":"completed","started_at":1,"completed_at":9000000000}]}]}`))
	f.Add([]byte(`{"jobs":[{"steps":[{"status":"completed","started_at":"2028-01-01T00:00:00Z","completed_at":"2028-01-01T00:01:00Z"},
		{"number":1,"status":"completed","started_at":"2029-01-01T00:01:00Z","completed_at":"2029-01-01T00:02:00Z"}]}]}`)) // a job of more than a year
	run := &gh.WorkflowRun{Name: new("ci"), Repository: &gh.Repository{FullName: new("shop/app")}}
	f.Fuzz(func(t *testing.T, data []byte) {
		var list gh.Jobs
		if json.Unmarshal(data, &list) != nil {
			return
		}
		s := OpenSteps(Options{})
		for _, job := range list.Jobs {
			if job == nil { // listJobs leaves those out
				continue
			}
			b, _, ok := buildOf(run, job)
			if !ok {
				continue
			}
			s.identifyJob(&b, run, "")
			if err := buildtest.Check(&b); err != nil {
				t.Error(err)
			}
			b = s.trim(b)
			if err := buildtest.Check(&b); err != nil {
				t.Error(err)
			}
		}
	})
}
