package ci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/google/go-cmp/cmp"
)

func TestCIIdentity(t *testing.T) {
	for _, test := range []struct {
		name  string
		env   string // lines of NAME=value
		event string // GitHub's payload
		want  Identity
	}{
		{name: "none", env: "HOME=/x"},
		{
			name: "GitHub, push",
			env: `GITHUB_ACTIONS=true
				GITHUB_REPOSITORY=o/r
				GITHUB_REF=refs/heads/feature/x
				GITHUB_SHA=abc
				GITHUB_WORKFLOW=ci
				GITHUB_JOB=image
				GITHUB_SERVER_URL=https://github.com
				GITHUB_RUN_ID=12
				RUNNER_OS=Linux
				RUNNER_ARCH=X64`,
			event: `{"repository":{"full_name":"o/r","default_branch":"trunk"}}`,
			want: Identity{
				Pipeline: "o/r/ci/image",
				Origin: timeline.Origin{
					Repository: "o/r",
					Revision:   "abc",
					Branch:     "feature/x",
					URL:        "https://github.com/o/r/actions/runs/12",
					Runner:     "Linux/X64",
				},
				BaseBranch:     "trunk",
				BaseRepository: "o/r",
			},
		},
		{
			name:  "GitHub, tag",
			env:   "GITHUB_ACTIONS=true\nGITHUB_REPOSITORY=o/r\nGITHUB_REF=refs/tags/v1",
			event: `{"repository":{"default_branch":"main"}}`,
			want:  Identity{Pipeline: "o/r", Origin: timeline.Origin{Repository: "o/r", Branch: "tags/v1"}, BaseBranch: "main", BaseRepository: "o/r"},
		},
		{
			name: "GitHub, pull request of a fork",
			env: `GITHUB_ACTIONS=true
				GITHUB_REPOSITORY=o/r
				GITHUB_REF=refs/pull/7/merge
				GITHUB_SHA=merge
				GITHUB_HEAD_REF=main
				GITHUB_BASE_REF=main`,
			event: `{"number":7,"pull_request":{"head":{"sha":"head","ref":"main","repo":{"full_name":"fork/r"}},
				"base":{"ref":"main","repo":{"full_name":"o/r"}}},"repository":{"default_branch":"trunk"}}`,
			want: Identity{
				Pipeline: "o/r",
				Origin: timeline.Origin{
					Repository:  "fork/r",
					Revision:    "head",
					Branch:      "main",
					PullRequest: "7",
				},
				Merge:          "merge",
				BaseBranch:     "main",
				BaseRepository: "o/r",
			},
		},
		{
			name: "GitHub, review of a pull request",
			env:  "GITHUB_ACTIONS=true\nGITHUB_REPOSITORY=o/r\nGITHUB_REF=refs/pull/7/merge",
			event: `{"pull_request":{"number":7,"head":{"sha":"head","ref":"x","repo":{"full_name":"o/r"}},
				"base":{"ref":"main","repo":{"full_name":"o/r"}}}}`,
			want: Identity{
				Pipeline: "o/r",
				Origin: timeline.Origin{
					Repository:  "o/r",
					Revision:    "head",
					Branch:      "x",
					PullRequest: "7",
				},
				BaseBranch:     "main",
				BaseRepository: "o/r",
			},
		},
		{
			name:  "GitHub, pull request of a fork that is gone",
			env:   "GITHUB_ACTIONS=true\nGITHUB_REPOSITORY=o/r\nGITHUB_REF=refs/pull/7/merge",
			event: `{"number":7,"pull_request":{"head":{"sha":"head","ref":"main","repo":null},"base":{"ref":"main","repo":{"full_name":"o/r"}}}}`,
			want: Identity{
				Pipeline: "o/r",
				Origin: timeline.Origin{
					Repository:  "(deleted)",
					Revision:    "head",
					Branch:      "main",
					PullRequest: "7",
				},
				BaseBranch:     "main",
				BaseRepository: "o/r",
			},
		},
		{
			name: "GitHub, after the run of a fork",
			env:  "GITHUB_ACTIONS=true\nGITHUB_REPOSITORY=o/r\nGITHUB_REF=refs/heads/main\nGITHUB_SHA=base",
			event: `{"workflow_run":{"head_sha":"head","head_branch":"main","head_repository":{"full_name":"fork/r"},"pull_requests":[]},
				"repository":{"default_branch":"main"}}`,
			want: Identity{Pipeline: "o/r", Origin: timeline.Origin{Repository: "fork/r", Revision: "head", Branch: "main"}, BaseBranch: "main", BaseRepository: "o/r"},
		},
		{
			name: "GitHub, after the run of a pull request",
			env:  "GITHUB_ACTIONS=true\nGITHUB_REPOSITORY=o/r\nGITHUB_REF=refs/heads/main\nGITHUB_SHA=base",
			event: `{"workflow_run":{"head_sha":"head","head_branch":"x","head_repository":{"full_name":"o/r"},
				"pull_requests":[{"number":9,"base":{"ref":"release"}}]},"repository":{"default_branch":"main"}}`,
			want: Identity{
				Pipeline: "o/r",
				Origin: timeline.Origin{
					Repository:  "o/r",
					Revision:    "head",
					Branch:      "x",
					PullRequest: "9",
				},
				BaseBranch:     "release",
				BaseRepository: "o/r",
			},
		},
		{
			name: "GitHub, after a run in a fork whose branch has a pull request upstream",
			env:  "GITHUB_ACTIONS=true\nGITHUB_REPOSITORY=fork/r\nGITHUB_REF=refs/heads/main\nGITHUB_SHA=base",
			event: `{"workflow_run":{"event":"push","head_sha":"head","head_branch":"x","head_repository":{"full_name":"fork/r"},
				"pull_requests":[{"number":9,"head":{"sha":"head","repo":{"id":2}},"base":{"ref":"release","repo":{"id":1}}}]},
				"repository":{"id":2,"default_branch":"main"}}`,
			want: Identity{Pipeline: "fork/r", Origin: timeline.Origin{Repository: "fork/r", Revision: "head", Branch: "x"}, BaseBranch: "main", BaseRepository: "fork/r"},
		},
		{
			name:  "GitHub, merge queue",
			env:   "GITHUB_ACTIONS=true\nGITHUB_EVENT_NAME=merge_group\nGITHUB_REPOSITORY=o/r\nGITHUB_REF=refs/heads/gh-readonly-queue/release/1.x/pr-7-abc\nGITHUB_SHA=abc",
			event: `{"merge_group":{"base_ref":"refs/heads/release/1.x"},"repository":{"default_branch":"main"}}`,
			want: Identity{
				Pipeline: "o/r",
				Origin: timeline.Origin{
					Repository: "o/r",
					Revision:   "abc",
					Branch:     "gh-readonly-queue/release/1.x/pr-7-abc",
				},
				BaseBranch:     "release/1.x",
				BaseRepository: "o/r",
			},
		},
		{
			name: "GitHub, after the run of a merge queue",
			env:  "GITHUB_ACTIONS=true\nGITHUB_EVENT_NAME=workflow_run\nGITHUB_REPOSITORY=o/r\nGITHUB_REF=refs/heads/main\nGITHUB_SHA=base",
			event: `{"workflow_run":{"event":"merge_group","head_sha":"abc","head_branch":"gh-readonly-queue/release/pr-7-abc",
				"head_repository":{"full_name":"o/r"},"pull_requests":[]},"repository":{"default_branch":"main"}}`,
			want: Identity{
				Pipeline: "o/r",
				Origin: timeline.Origin{
					Repository: "o/r",
					Revision:   "abc",
					Branch:     "gh-readonly-queue/release/pr-7-abc",
				},
				BaseBranch:     "release",
				BaseRepository: "o/r",
			},
		},
		{
			name:  "GitHub, event unreadable",
			env:   "GITHUB_ACTIONS=true\nGITHUB_REPOSITORY=o/r\nGITHUB_REF=refs/heads/x\nGITHUB_BASE_REF=main",
			event: `{"number":`,
			want:  Identity{Pipeline: "o/r", Origin: timeline.Origin{Repository: "o/r", Branch: "x"}, BaseBranch: "main", BaseRepository: "o/r"},
		},
		{
			name: "Forgejo",
			env: `FORGEJO_ACTIONS=true
				GITHUB_ACTIONS=true
				GITHUB_REPOSITORY=o/r
				GITHUB_REF=refs/heads/main
				GITHUB_SHA=abc
				GITHUB_SERVER_URL=https://code.example
				GITHUB_RUN_ID=900
				GITHUB_RUN_NUMBER=12`,
			want: Identity{
				Pipeline: "o/r",
				Origin: timeline.Origin{
					Repository: "o/r",
					Revision:   "abc",
					Branch:     "main",
					URL:        "https://code.example/o/r/actions/runs/12",
				},
				BaseRepository: "o/r",
			},
		},
		{
			name: "Woodpecker, pull request",
			env: `CI=woodpecker
				CI_REPO=o/r
				CI_WORKFLOW_NAME=image
				CI_COMMIT_SHA=abc
				CI_COMMIT_BRANCH=main
				CI_COMMIT_SOURCE_BRANCH=feature
				CI_COMMIT_TARGET_BRANCH=main
				CI_COMMIT_PULL_REQUEST=3
				CI_PIPELINE_URL=https://ci.example/1
				CI_SYSTEM_PLATFORM=linux/arm64`,
			want: Identity{
				Pipeline: "o/r/image",
				Origin: timeline.Origin{
					Repository:  "o/r",
					Revision:    "abc",
					Branch:      "feature",
					PullRequest: "3",
					URL:         "https://ci.example/1",
					Runner:      "linux/arm64",
				},
				BaseBranch:     "main",
				BaseRepository: "o/r",
			},
		},
		{
			name: "Drone, pull request",
			env: `CI=true
				DRONE=true
				DRONE_REPO=o/r
				DRONE_STAGE_NAME=image
				DRONE_COMMIT_SHA=abc
				DRONE_BRANCH=main
				DRONE_SOURCE_BRANCH=feature
				DRONE_TARGET_BRANCH=main
				DRONE_REPO_BRANCH=trunk
				DRONE_PULL_REQUEST=3
				DRONE_BUILD_LINK=https://ci.example/1
				DRONE_STAGE_OS=linux
				DRONE_STAGE_ARCH=amd64`,
			want: Identity{
				Pipeline: "o/r/image",
				Origin: timeline.Origin{
					Repository:  "o/r",
					Revision:    "abc",
					Branch:      "feature",
					PullRequest: "3",
					URL:         "https://ci.example/1",
					Runner:      "linux/amd64",
				},
				BaseBranch:     "main",
				BaseRepository: "o/r",
			},
		},
		{
			name: "GitLab, branch",
			env: `GITLAB_CI=true
				CI_PROJECT_PATH=g/s/r
				CI_JOB_NAME=image
				CI_COMMIT_SHA=abc
				CI_COMMIT_REF_NAME=feature
				CI_DEFAULT_BRANCH=trunk
				CI_PIPELINE_URL=https://gitlab.example/p/1
				CI_JOB_URL=https://gitlab.example/j/1
				CI_RUNNER_EXECUTABLE_ARCH=linux/amd64`,
			want: Identity{
				Pipeline: "g/s/r/image",
				Origin: timeline.Origin{
					Repository: "g/s/r",
					Revision:   "abc",
					Branch:     "feature",
					URL:        "https://gitlab.example/j/1",
					Runner:     "linux/amd64",
				},
				BaseBranch:     "trunk",
				BaseRepository: "g/s/r",
			},
		},
		{
			name: "GitLab, merge request of a fork",
			env: `GITLAB_CI=true
				CI_PROJECT_PATH=g/r
				CI_COMMIT_SHA=merge
				CI_COMMIT_REF_NAME=feature
				CI_DEFAULT_BRANCH=trunk
				CI_MERGE_REQUEST_ID=99999
				CI_MERGE_REQUEST_IID=5
				CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=head
				CI_MERGE_REQUEST_SOURCE_PROJECT_PATH=fork/r
				CI_MERGE_REQUEST_PROJECT_PATH=g/r
				CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=feature
				CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main`,
			want: Identity{
				Pipeline: "g/r",
				Origin: timeline.Origin{
					Repository:  "fork/r",
					Revision:    "head",
					Branch:      "feature",
					PullRequest: "5",
				},
				Merge:          "merge",
				BaseBranch:     "main",
				BaseRepository: "g/r",
			},
		},
		{
			name: "Bitbucket, pull request",
			env: `BITBUCKET_BUILD_NUMBER=12
				BITBUCKET_COMMIT=abc
				BITBUCKET_BRANCH=feature
				BITBUCKET_PR_DESTINATION_BRANCH=main
				BITBUCKET_PR_ID=4
				BITBUCKET_REPO_FULL_NAME=o/r`,
			want: Identity{
				Pipeline: "o/r",
				Origin: timeline.Origin{
					Repository:  "o/r",
					Revision:    "abc",
					Branch:      "feature",
					PullRequest: "4",
					URL:         "https://bitbucket.org/o/r/addon/pipelines/home#!/results/12",
				},
				BaseBranch:     "main",
				BaseRepository: "o/r",
			},
		},
		{
			name: "Buildkite, branch",
			env: `BUILDKITE=true
				BUILDKITE_ORGANIZATION_SLUG=org
				BUILDKITE_PIPELINE_SLUG=app
				BUILDKITE_STEP_KEY=image
				BUILDKITE_REPO=git@github.com:o/r.git
				BUILDKITE_COMMIT=HEAD
				BUILDKITE_BRANCH=feature
				BUILDKITE_PIPELINE_DEFAULT_BRANCH=main
				BUILDKITE_PULL_REQUEST=false
				BUILDKITE_BUILD_URL=https://buildkite.com/1`,
			want: Identity{
				Pipeline: "org/app/image",
				Origin: timeline.Origin{
					Repository: "o/r",
					Branch:     "feature",
					URL:        "https://buildkite.com/1",
				},
				BaseBranch:     "main",
				BaseRepository: "o/r",
			},
		},
		{
			name: "Buildkite, pull request",
			env: `BUILDKITE=true
				BUILDKITE_REPO=git@github.com:o/r.git
				BUILDKITE_COMMIT=abc
				BUILDKITE_BRANCH=feature
				BUILDKITE_PULL_REQUEST=6
				BUILDKITE_PULL_REQUEST_REPO=https://github.com/fork/r.git
				BUILDKITE_PULL_REQUEST_BASE_BRANCH=main
				BUILDKITE_PIPELINE_DEFAULT_BRANCH=trunk`,
			want: Identity{
				Origin: timeline.Origin{
					Repository:  "fork/r",
					Revision:    "abc",
					Branch:      "feature",
					PullRequest: "6",
				},
				BaseBranch:     "main",
				BaseRepository: "o/r",
			},
		},
		{
			name: "CircleCI, pull request of a fork",
			env: `CI=true
				CIRCLECI=true
				CIRCLE_PROJECT_USERNAME=o
				CIRCLE_PROJECT_REPONAME=r
				CIRCLE_JOB=image
				CIRCLE_SHA1=abc
				CIRCLE_BRANCH=pull/8
				CIRCLE_PR_NUMBER=8
				CIRCLE_PR_USERNAME=fork
				CIRCLE_PR_REPONAME=r
				CIRCLE_BUILD_URL=https://circleci.com/1`,
			want: Identity{
				Pipeline: "o/r/image",
				Origin: timeline.Origin{
					Repository:  "fork/r",
					Revision:    "abc",
					Branch:      "pull/8",
					PullRequest: "8",
					URL:         "https://circleci.com/1",
				},
				BaseRepository: "o/r",
			},
		},
		{
			name: "CircleCI, pull request",
			env:  "CIRCLECI=true\nCIRCLE_BRANCH=x\nCIRCLE_PULL_REQUEST=https://github.com/o/r/pull/8",
			want: Identity{Origin: timeline.Origin{Branch: "x", PullRequest: "8"}},
		},
		{
			name: "Azure Pipelines, pull request",
			env: `TF_BUILD=True
				BUILD_REPOSITORY_NAME=o/r
				BUILD_DEFINITIONNAME=ci
				SYSTEM_JOBNAME=image
				BUILD_SOURCEVERSION=merge
				BUILD_SOURCEBRANCH=refs/pull/2/merge
				SYSTEM_PULLREQUEST_SOURCECOMMITID=head
				SYSTEM_PULLREQUEST_SOURCEBRANCH=refs/heads/feature
				SYSTEM_PULLREQUEST_TARGETBRANCH=refs/heads/main
				SYSTEM_PULLREQUEST_PULLREQUESTID=812345
				SYSTEM_PULLREQUEST_PULLREQUESTNUMBER=2
				SYSTEM_COLLECTIONURI=https://dev.azure.com/o/
				SYSTEM_TEAMPROJECT=p
				BUILD_BUILDID=77
				AGENT_OS=Linux
				AGENT_OSARCHITECTURE=X64`,
			want: Identity{
				Pipeline: "o/r/ci/image",
				Origin: timeline.Origin{
					Repository:  "o/r",
					Revision:    "head",
					Branch:      "feature",
					PullRequest: "2",
					URL:         "https://dev.azure.com/o/p/_build/results?buildId=77",
					Runner:      "Linux/X64",
				},
				BaseBranch:     "main",
				BaseRepository: "o/r",
			},
		},
		{
			name: "Azure Pipelines, branch",
			env:  "TF_BUILD=True\nBUILD_SOURCEBRANCH=refs/heads/a/b\nBUILD_SOURCEVERSION=abc",
			want: Identity{Origin: timeline.Origin{Branch: "a/b", Revision: "abc"}},
		},
		{
			name: "Jenkins, branch",
			env: `JENKINS_URL=https://jenkins.example
				BUILD_ID=5
				JOB_NAME=team/app
				GIT_URL=https://user:secret@git.example/o/r.git
				GIT_COMMIT=abc
				GIT_BRANCH=origin/feature
				BUILD_URL=https://jenkins.example/5`,
			want: Identity{
				Pipeline: "team/app",
				Origin: timeline.Origin{
					Repository: "o/r",
					Revision:   "abc",
					Branch:     "feature",
					URL:        "https://jenkins.example/5",
				},
				BaseRepository: "o/r",
			},
		},
		{
			name: "Jenkins, pull request of a multibranch project",
			env: `JENKINS_URL=https://jenkins.example
				BUILD_ID=5
				JOB_NAME=team/app/PR-3
				BRANCH_NAME=PR-3
				CHANGE_ID=3
				CHANGE_BRANCH=feature
				CHANGE_TARGET=main
				GIT_COMMIT=abc`,
			want: Identity{Pipeline: "team/app", Origin: timeline.Origin{Revision: "abc", Branch: "feature", PullRequest: "3"}, BaseBranch: "main"},
		},
		{
			name: "Jenkins, pull request builder",
			env: `JENKINS_URL=https://jenkins.example
				BUILD_ID=5
				JOB_NAME=app
				GIT_COMMIT=merge
				ghprbActualCommit=head
				ghprbSourceBranch=feature
				ghprbTargetBranch=main
				ghprbPullId=3`,
			want: Identity{Pipeline: "app", Origin: timeline.Origin{Revision: "head", Branch: "feature", PullRequest: "3"}, BaseBranch: "main"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			variables := map[string]string{}
			for line := range strings.Lines(test.env) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				variables[name] = value
			}
			if test.event != "" {
				path := filepath.Join(t.TempDir(), "event.json")
				if err := os.WriteFile(path, []byte(test.event), 0o600); err != nil {
					t.Fatal(err)
				}
				variables["GITHUB_EVENT_PATH"] = path
			}
			got := System(func(name string) string { return variables[name] })
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The pages of the code are those of the repository that a pull request is for.
func TestCodePages(t *testing.T) {
	for name, test := range map[string]struct {
		vars           map[string]string
		files, commits string
	}{
		"GitHub":              {map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r"}, "https://github.com/o/r/blob/", "https://github.com/o/r/commit/"},
		"Gitea":               {map[string]string{"GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true", "GITHUB_SERVER_URL": "https://git.example/", "GITHUB_REPOSITORY": "o/r"}, "https://git.example/o/r/src/commit/", "https://git.example/o/r/commit/"},
		"GitLab":              {map[string]string{"GITLAB_CI": "true", "CI_PROJECT_URL": "https://gitlab.example/g/p"}, "https://gitlab.example/g/p/-/blob/", "https://gitlab.example/g/p/-/commit/"},
		"of a fork on GitLab": {map[string]string{"GITLAB_CI": "true", "CI_PROJECT_URL": "https://gitlab.example/fork/p", "CI_MERGE_REQUEST_PROJECT_URL": "https://gitlab.example/g/p"}, "https://gitlab.example/g/p/-/blob/", "https://gitlab.example/g/p/-/commit/"},
		"elsewhere":           {map[string]string{"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r"}, "", ""},
		"GitHub, half told":   {map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com"}, "", ""},
	} {
		files, commits := CodePages(func(v string) string { return test.vars[v] })
		if files != test.files || commits != test.commits {
			t.Errorf("%s: %q and %q, want %q and %q", name, files, commits, test.files, test.commits)
		}
	}
}
