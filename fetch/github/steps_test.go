package github

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/buildregress/buildregress/testdata/githubtest"
	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"
)

// A task is a step of a job: its name, how long it takes in seconds, and what
// became of it if not success.
type task struct {
	name    string
	seconds int
	ended   string
}

// addJob adds a job to a run that does these tasks one after the other. One that
// is to take -1 s runs yet, and the job with it.
func addJob(s *githubtest.Server, run *gh.WorkflowRun, name string, tasks ...task) *gh.WorkflowJob {
	var seconds []int
	for _, t := range tasks {
		seconds = append(seconds, t.seconds)
	}
	job := s.AddJob(run, name, seconds...)
	job.RunnerName = new("runner of " + name)
	for i, t := range tasks {
		job.Steps[i].Name = new(t.name)
		if t.ended != "" {
			job.Steps[i].Conclusion = new(t.ended)
		}
	}
	return job
}

// usual is a job that builds an image, with times that vary a little.
func usual(n int) []task {
	return []task{
		{"Set up job", 2, ""},
		{"Run actions/checkout@v4", 3 + n%2, ""},
		{"Build", 60 + n%5, ""},
		{"Test", 30 + n%3, ""},
		{"Publish", 0, "skipped"},
		{"Judge", 5, ""},
		{"Upload", 20, ""},
		{"Post Run actions/checkout@v4", 4, ""},
		{"Complete job", 0, ""},
	}
}

func named(b *timeline.Build) (out []string) {
	for _, s := range b.Steps {
		out = append(out, fmt.Sprintf("%s %v", s.Name, s.Duration))
	}
	return out
}

// However an address writes the repository, its builds are of one: those of main
// are on the same line as the one to be judged.
func TestStepsOfARepositoryByAnotherName(t *testing.T) {
	s := githubtest.New(t, clock)
	for n := range 12 {
		addJob(s, s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)}), "image", usual(n)...)
	}
	run := s.AddRun(githubtest.Run{Created: began.Add(100 * time.Hour)})
	addJob(s, run, "image", usual(0)...)
	o := options(t, s, run.GetID())
	o.Owner, o.Name = "Shop", "App"
	steps := OpenSteps(o)
	builds, _, err := steps.Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) != 1 {
		t.Fatal(builds, err)
	}
	h, err := steps.History(t.Context(), fetch.Query{Build: &builds[0], BaseBranch: "main", BaseRepository: "shop/app", Window: 50, Enough: 8})
	if err != nil || len(h.Base) != 12 || h.Base[0].Repository != builds[0].Repository {
		t.Errorf("%+v, %v, want 12 builds of %s", h, err, builds[0].Repository)
	}
}

// The job that runs us is judged as far as it has come, against the same part of
// the same job in earlier runs.
func TestLiveJob(t *testing.T) {
	s := githubtest.New(t, clock)
	for n := range 12 {
		run := s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)})
		addJob(s, run, "image", usual(n)...)
		addJob(s, run, "lint", task{"Lint", 9, ""})
	}
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "slow", Status: "in_progress", Created: began.Add(100 * time.Hour)})
	addJob(s, run, "lint", task{"Lint", -1, ""})
	addJob(s, run, "image", task{"Set up job", 2, ""}, task{"Run actions/checkout@v4", 3, ""}, task{"Build", 150, ""}, task{"Test", 30, ""}, task{"Judge", -1, ""})
	o := options(t, s, run.GetID())
	o.Job, o.Runner = "build", "runner of image" // the job has a name besides its key
	o.Cache = &memoryCache{}
	for _, calls := range []int{2 + 3 + 12, 2 + 3} { // cold, and with all that was kept
		s.Requests()
		steps := OpenSteps(o)
		builds, problems, err := steps.Builds(t.Context(), fetch.Selector{})
		if err != nil || len(problems) > 0 || len(builds) != 1 {
			t.Fatal(builds, problems, err)
		}
		b := &builds[0]
		if err := buildtest.Check(b); err != nil {
			t.Error(err)
		}
		want := []string{"Set up job 2s", "Run actions/checkout@v4 3s", "Build 2m30s", "Test 30s"}
		if diff := cmp.Diff(want, named(b)); diff != "" {
			t.Error(diff)
		}
		if b.Resolution != time.Second || b.Duration != 185*time.Second || b.Pipeline != "shop/app/ci/image" || b.Branch != "slow" || b.Runner != "ubuntu-latest" {
			t.Errorf("%+v", b)
		}
		h, err := steps.History(t.Context(), fetch.Query{Build: b, BaseBranch: "main", BaseRepository: "shop/app", Window: 50, Enough: 8})
		if err != nil || len(h.Base) != 12 || len(h.Notes) > 0 {
			t.Fatalf("%d builds, %q, %v", len(h.Base), h.Notes, err)
		}
		if diff := cmp.Diff([]string{"Set up job 2s", "Run actions/checkout@v4 4s", "Build 1m1s", "Test 32s"}, named(&h.Base[0])); diff != "" {
			t.Error(diff)
		}
		if h.Base[0].Duration != 99*time.Second {
			t.Errorf("a build took %v", h.Base[0].Duration)
		}
		if got := len(s.Requests()); got != calls {
			t.Errorf("%d requests, want %d", got, calls)
		}
		result := detect.Judge(b, h, detect.Policy{Thresholds: detect.DefaultThresholds})
		if result.Verdict != detect.Regressed || result.Counts[detect.StatusSlower] != 1 || result.Counts[detect.StatusGone] != 0 {
			t.Errorf("%v: %v", result.Verdict, result.Counts)
		}
	}
}

// What a job waited for a runner, since those that it needs were done, is a step of its own
// in it and in those that it is compared with.
func TestQueueOfJobs(t *testing.T) {
	s := githubtest.New(t, clock)
	queued := func(job *gh.WorkflowJob, d time.Duration) {
		job.CreatedAt = &gh.Timestamp{Time: job.GetStartedAt().Add(-d)}
	}
	for n := range 12 {
		run := s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)})
		queued(addJob(s, run, "image", usual(n)...), time.Duration(3+n%2)*time.Second)
	}
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "slow", Status: "in_progress", Created: began.Add(100 * time.Hour)})
	queued(addJob(s, run, "image", task{"Set up job", 2, ""}, task{"Run actions/checkout@v4", 3, ""}, task{"Build", 60, ""}, task{"Test", 30, ""}, task{"Judge it", -1, ""}), 45*time.Second)
	o := options(t, s, run.GetID())
	o.Job, o.Runner = "image", "runner of image"
	steps := OpenSteps(o)
	builds, _, err := steps.Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) != 1 {
		t.Fatal(builds, err)
	}
	b := &builds[0]
	if err := buildtest.Check(b); err != nil {
		t.Error(err)
	}
	if wait := b.Steps[0]; wait.Key != "[image] waiting for a runner" || wait.Stage != timeline.StageQueue || wait.Duration != 45*time.Second || b.Duration != 140*time.Second || b.Steps[1].Inputs[0] != wait.ID {
		t.Errorf("%v of %+v", b.Duration, b.Steps)
	}
	h, err := steps.History(t.Context(), fetch.Query{Build: b, BaseBranch: "main", BaseRepository: "shop/app", Window: 50, Enough: 8})
	if err != nil || len(h.Base) != 12 {
		t.Fatal(h, err)
	}
	if got := named(&h.Base[0]); len(got) != 5 || got[0] != "waiting for a runner 4s" || got[4] != "Test 32s" { // as far as ours has come, though its step is called otherwise
		t.Error(got)
	}
	r := detect.Judge(b, h, detect.Policy{Thresholds: detect.DefaultThresholds})
	if r.Verdict != detect.Pass || r.Counts[detect.StatusWaiting] != 1 {
		t.Errorf("%v: %v", r.Verdict, r.Counts)
	}
	// A job that is run again was created long before, and waited for those that it needs.
	again := *s.Jobs[run.GetID()][0]
	run.RunAttempt, run.RunStartedAt = new(2), &gh.Timestamp{Time: again.GetStartedAt().Add(-21 * time.Minute)}
	again.RunAttempt, again.CreatedAt = new(int64(2)), &gh.Timestamp{Time: began}
	if got, _, _ := buildOf(run, &again); got.Steps[0].Stage == timeline.StageQueue || got.Duration != 95*time.Second || !got.Start.Equal(again.GetStartedAt().Time) {
		t.Errorf("%v of %+v", got.Duration, got.Steps)
	}
	// One that was created in this attempt tells what it waited.
	again.CreatedAt = &gh.Timestamp{Time: again.GetStartedAt().Add(-20 * time.Second)}
	if got, _, _ := buildOf(run, &again); got.Steps[0].Stage != timeline.StageQueue || got.Steps[0].Duration != 20*time.Second {
		t.Errorf("%+v", got.Steps[0])
	}
}

// Seconds more or less are no slowdown where the clock counts in them.
func TestWholeSeconds(t *testing.T) {
	s := githubtest.New(t, clock)
	for n := range 20 {
		run := s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)})
		addJob(s, run, "image", task{"Build", 1, ""}, task{"Test", 1, ""}, task{"Scan", 2, ""})
	}
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "x", Created: began.Add(100 * time.Hour)})
	addJob(s, run, "image", task{"Build", 2, ""}, task{"Test", 2, ""}, task{"Scan", 3, ""})
	steps := OpenSteps(options(t, s, run.GetID()))
	builds, _, err := steps.Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) != 1 {
		t.Fatal(builds, err)
	}
	h, err := steps.History(t.Context(), fetch.Query{Build: &builds[0], BaseBranch: "main", Window: 50, Enough: 8})
	if err != nil || len(h.Base) != 20 {
		t.Fatal(h, err)
	}
	if r := detect.Judge(&builds[0], h, detect.Policy{Thresholds: detect.DefaultThresholds}); r.Verdict != detect.Pass {
		t.Errorf("%v: %+v", r.Verdict, r.Counts)
	}
}

// GitHub's clocks are several, and some steps have no times.
func TestClockQuirks(t *testing.T) {
	s := githubtest.New(t, clock)
	run := s.AddRun(githubtest.Run{Created: began})
	job := addJob(s, run, "image", task{"Early", 3, ""}, task{"Build", 60, ""}, task{"Backwards", 1, ""}, task{"Timeless", 1, ""}, task{"Year one", 1, ""}, task{"Twice", 1, ""}, task{"Twice", 5, ""}, task{"Run buildregress/buildregress@v1", 2, ""}, task{"Last", 2, ""})
	early := job.GetStartedAt().Add(-time.Second)
	job.Steps[0].StartedAt = &gh.Timestamp{Time: early}
	job.Steps[2].CompletedAt = &gh.Timestamp{Time: job.Steps[2].GetStartedAt().Add(-time.Second)}
	job.Steps[3].StartedAt, job.Steps[3].CompletedAt = nil, nil
	job.Steps[4].StartedAt = &gh.Timestamp{Time: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}
	job.Steps[6].Number = job.Steps[5].Number
	job.Steps = append(job.Steps, nil)
	s.Jobs[run.GetID()] = append(s.Jobs[run.GetID()], &gh.WorkflowJob{Name: new("skipped"), Conclusion: new("skipped")}, nil)
	builds, problems, err := OpenSteps(options(t, s, run.GetID())).Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) != 1 {
		t.Fatal(builds, err)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "4 steps") {
		t.Errorf("%v", problems)
	}
	b := &builds[0]
	if err := buildtest.Check(b); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"Early 4s", "Build 1m0s", "Backwards 0s", "Twice 1s", "Last 2s"}, named(b)); diff != "" {
		t.Error(diff)
	}
	if !b.Start.Equal(early) || b.Duration != 1*time.Second+76*time.Second {
		t.Errorf("it began at %v and took %v", b.Start, b.Duration)
	}
}

// Jobs that failed are told as such, and are no history.
func TestFailedJobs(t *testing.T) {
	s := githubtest.New(t, clock)
	run := s.AddRun(githubtest.Run{Created: began, Conclusion: "failure"})
	for _, conclusion := range []string{"failure", "cancelled", "timed_out", "success", "neutral"} {
		addJob(s, run, conclusion, task{"Build", 9, ""}, task{"Test", 3, conclusion}).Conclusion = new(conclusion)
	}
	builds, _, err := OpenSteps(options(t, s, run.GetID())).Builds(t.Context(), fetch.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]timeline.Outcome{}
	for _, b := range builds {
		got[b.Pipeline] = b.Outcome
	}
	want := map[string]timeline.Outcome{"shop/app/ci/failure": timeline.Failed, "shop/app/ci/cancelled": timeline.Cancelled, "shop/app/ci/timed_out": timeline.Failed, "shop/app/ci/success": timeline.OK}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A check that fails its job makes no failure of what it judged: main would stay red
// for ever. A job that failed by itself is no history.
func TestJobsThatWeFailed(t *testing.T) {
	s := githubtest.New(t, clock)
	fail := func(n int, name, ended string) {
		run := s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour), Conclusion: ended})
		tasks := usual(n)
		at := slices.IndexFunc(tasks, func(t task) bool { return t.name == name })
		tasks[at].ended = ended
		for i := at + 1; i < len(tasks); i++ {
			tasks[i].ended = "skipped"
		}
		addJob(s, run, "image", tasks...).Conclusion = new(ended)
	}
	for n := range 6 {
		addJob(s, s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)}), "image", usual(n)...)
	}
	fail(6, "Judge", "failure")
	fail(7, "Judge", "failure")
	fail(8, "Judge", "cancelled")
	fail(9, "Upload", "failure") // behind us
	fail(10, "Build", "failure")
	fail(11, "Test", "cancelled")
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "slow", Status: "in_progress", Created: began.Add(100 * time.Hour)})
	addJob(s, run, "image", task{"Set up job", 2, ""}, task{"Run actions/checkout@v4", 3, ""}, task{"Build", 60, ""}, task{"Test", 30, ""}, task{"Judge", -1, ""})
	o := options(t, s, run.GetID())
	o.Job = "image"
	o.Cache = &memoryCache{}
	for range 2 { // cold, and with all that was kept
		steps := OpenSteps(o)
		builds, _, err := steps.Builds(t.Context(), fetch.Selector{})
		if err != nil || len(builds) != 1 || builds[0].Outcome != timeline.OK || len(builds[0].Steps) != 4 {
			t.Fatal(builds, err)
		}
		h, err := steps.History(t.Context(), fetch.Query{Build: &builds[0], BaseBranch: "main", Window: 50, Enough: 8})
		if err != nil || len(h.Base) != 10 {
			t.Fatalf("%d builds, %v, want 10", len(h.Base), err)
		}
		for _, b := range h.Base {
			if len(b.Steps) != 4 || b.Error != "" {
				t.Errorf("%+v", b)
			}
		}
	}
}

// Where a run that is over is judged, only the name of the step tells which runs us.
func TestJobsThatWeFailedByName(t *testing.T) {
	ours := "Run buildregress/buildregress@v1"
	for _, test := range []struct {
		name  string
		tasks []task
		job   string
		want  timeline.Outcome
		steps int
	}{
		{"we failed it", []task{{"Build", 9, ""}, {ours, 2, "failure"}, {"Deploy", 0, "skipped"}}, "failure", timeline.OK, 1},
		{"cancelled at us", []task{{"Build", 9, ""}, {ours, 2, "cancelled"}}, "cancelled", timeline.OK, 1},
		{"and something after us", []task{{"Build", 9, ""}, {ours, 2, "failure"}, {"Upload logs", 3, "failure"}}, "failure", timeline.Failed, 2},
		{"something before us", []task{{"Build", 9, "failure"}, {ours, 2, "failure"}}, "failure", timeline.Failed, 1},
		{"something, and not we", []task{{"Build", 9, "failure"}, {ours, 2, ""}}, "failure", timeline.Failed, 1},
		{"nothing of it", []task{{"Build", 9, ""}, {ours, 2, ""}, {"Post Run x", 2, "failure"}}, "failure", timeline.Failed, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := githubtest.New(t, clock)
			run := s.AddRun(githubtest.Run{Created: began, Conclusion: test.job})
			addJob(s, run, "image", test.tasks...).Conclusion = new(test.job)
			builds, _, err := OpenSteps(options(t, s, run.GetID())).Builds(t.Context(), fetch.Selector{})
			if err != nil || len(builds) != 1 || builds[0].Outcome != test.want || len(builds[0].Steps) != test.steps || (builds[0].Error == "") != (test.want == timeline.OK) {
				t.Errorf("%+v, %v", builds, err)
			}
		})
	}
}

// A name that a pull request gave a step is shown as text, and without secrets.
func TestHostileStepNames(t *testing.T) {
	s := githubtest.New(t, clock)
	run := s.AddRun(githubtest.Run{Created: began})
	addJob(s, run, "\xff"+strings.Repeat("x", 5000), task{"Run curl -H 'Authorization: Bearer " + githubtest.Token + "'", 9, ""}, task{"", 1, ""}, task{strings.Repeat("y", 1<<20), 1, ""})
	builds, _, err := OpenSteps(options(t, s, run.GetID())).Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) != 1 {
		t.Fatal(builds, err)
	}
	if err := buildtest.Check(&builds[0]); err != nil {
		t.Error(err)
	}
	if text := fmt.Sprintf("%+v", builds[0]); strings.Contains(text, githubtest.Token) {
		t.Errorf("a credential in %.300s", text)
	}
}

// A limit while runs are asked for leaves a smaller history that says so.
func TestStepsLimit(t *testing.T) {
	s := githubtest.New(t, clock)
	for n := range 12 {
		addJob(s, s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)}), "image", usual(n)...)
	}
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "x", Created: began.Add(100 * time.Hour)})
	addJob(s, run, "image", usual(1)...)
	steps := OpenSteps(options(t, s, run.GetID()))
	builds, _, err := steps.Builds(t.Context(), fetch.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	q := fetch.Query{Build: &builds[0], BaseBranch: "main", Window: 50, Enough: 8}
	for _, test := range []struct {
		fault func(http.ResponseWriter, *http.Request) bool
		note  string
	}{
		{refusing("/jobs", 429, "Retry-After", "3600"), "12 runs not read"},
		{refusing("/jobs", 500), "12 could not be had"},
	} {
		s.Fault = test.fault
		h, err := steps.History(t.Context(), q)
		if err != nil || len(h.Base) > 0 || !strings.Contains(fmt.Sprint(h.Notes), test.note) {
			t.Errorf("%v, %+v", err, h)
		}
	}
	s.Fault = nil
	if h, err := OpenSteps(options(t, s, run.GetID())).History(t.Context(), q); err != nil || len(h.Base) != 12 {
		t.Errorf("%v, %+v", err, h)
	}
}

// Earlier runs of the pull request are evidence, failed ones too.
func TestStepsEvidence(t *testing.T) {
	s := githubtest.New(t, clock)
	for n := range 12 {
		addJob(s, s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)}), "image", usual(n)...)
	}
	var want []string
	for n, conclusion := range []string{"success", "failure", "success"} {
		run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "x", Conclusion: conclusion, Created: began.Add(time.Duration(50+n) * time.Hour)})
		addJob(s, run, "image", usual(n)...)
		want = append([]string{run.GetHeadSHA()}, want...)
	}
	own := s.Runs[len(s.Runs)-1]
	steps := OpenSteps(options(t, s, own.GetID()))
	builds, _, err := steps.Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) != 1 {
		t.Fatal(builds, err)
	}
	builds[0].PullRequest = "7"
	h, err := steps.History(t.Context(), fetch.Query{Build: &builds[0], BaseBranch: "main", Window: 50, Enough: 8})
	if err != nil || len(h.Base) != 12 {
		t.Fatal(h, err)
	}
	var got []string
	for _, b := range h.Branch {
		got = append(got, b.Revision)
		if b.PullRequest != "7" {
			t.Errorf("%s is of %q", b.ID, b.PullRequest)
		}
	}
	if diff := cmp.Diff(want[1:], got); diff != "" {
		t.Error(diff)
	}
}
