package main

import (
	"context"
	"fmt"
	"io"
)

// help prints how buildregress is used, or one of its commands.
func help(_ context.Context, w *world, _ settings, args []string) (code int, err error) {
	text, topic := helpText, ""
	if len(args) > 0 {
		topic = args[0]
		text = helpOn[topic]
	}
	if text == "" {
		return 0, usageError{fmt.Sprintf("no help on %q", topic), "buildregress help lists the commands"}
	}
	if len(args) > 1 {
		return 0, usagef("unexpected argument %q", args[1])
	}
	_, err = io.WriteString(w.stdout, text)
	return 0, err
}

// helpOn is the help on each command.
var helpOn = map[string]string{
	"check": checkHelp, "record": recordHelp, "backtest": backtestHelp, "version": versionHelp, "help": helpText, "servers": serversHelp,
}

const helpText = `buildregress tells which step of a container build got slower, by how much,
and whether that is real or the machine's mood.

Usage:
  buildregress check [flags] [SOURCE]   judge a build against the history
  buildregress record [flags] SOURCE…   add builds to the history
  buildregress backtest [flags]         replay the history: what would have been
                                        called, and what could have been seen
  buildregress version                  print the version
  buildregress help [COMMAND]           print this, or the flags of a command

SOURCE is a file, a folder of files, or - for standard input. Files are
recognised by their content: build records of docker buildx (.dockerbuild),
progress logs (--progress=rawjson), OTLP and Jaeger traces, builds files.
buildx:[BUILDER/][REF] is a record of the local builder, the newest without REF;
buildx:REF,REF are several, and buildx:@FILE those that docker buildx build
--metadata-file wrote to FILE. Check without SOURCE takes buildx: itself.
github://OWNER/NAME are the build records that the workflow runs of a repository
keep as artifacts, and github-steps://OWNER/NAME the times of their jobs' steps.
jaeger://HOST and tempo+https://HOST are servers of traces, which hold the build
and its history: buildregress help servers.

Examples:
  # judge the build that was just made
  docker buildx build . && buildregress check

  # judge a build from its progress log, and remember it
  docker buildx build --progress=rawjson . 2>build.log
  buildregress check build.log

  # fill the history with earlier builds of main
  buildregress record --branch main records/

  # judge a record against others, and keep a comment and the numbers
  buildregress check --baseline main/ --output markdown=comment.md \
      --output json=result.json new.dockerbuild

  # turn any of these into a builds file, which people and tools can read
  buildregress record --format builds new.dockerbuild

Every flag may be given in the environment: --min-delta is
BUILDREGRESS_MIN_DELTA. Flags go before the environment, and that before the
file .buildregress.yaml, which holds window, min-history, fdr, min-slowdown,
min-delta, fail-on, budgets (max), rules for single steps (steps) and changes
that were accepted (accept).

Exit status:
  0  nothing to fail on; also if there is too little history to judge by
  1  the verdict, or a step's status, is one that --fail-on names
  2  bad usage or configuration
  3  the job could not be done: source unreadable, build not found, store broken
`

const checkHelp = `Usage: buildregress check [flags] [SOURCE]

Judges the builds in SOURCE, reports, and adds those just made to the history.
Without SOURCE that is the newest build of the local builder, buildx:.

The build:
  --build REF|TARGET      which of several builds in SOURCE
  --pipeline NAME         builds of one pipeline are compared with each other
  --branch NAME           branch of the build
  --base-branch NAME      whose builds are the baseline (default: the pull
                          request's target, else the default branch that the CI
                          system or the checkout's origin tells, else main)
  --revision COMMIT       commit of the build
  --runner NAME           class of the machine that it ran on
What is not given is taken from the build, from the CI system's variables and
from the git checkout, the last two for builds that ended within a day: of
several, for the newest and for those of the same commit.

The history:
  --store sqlite:PATH     where it is kept (sqlite:.buildregress/history.db)
  --baseline SOURCE       compare with the builds in a file, folder, store or
                          server (default: SOURCE, if that is a server)
  --lookback 30d          how far back is searched
  --record auto           add builds: auto (new, on no server), always, never

Flags on builds in servers of traces, such as --trace-id and --run-id, and on
how to reach these: buildregress help servers

The judgement:
  --window 50             newest samples of a step that count
  --min-history 8         samples without which a step is not judged
  --fdr 0.04              false discovery rate over the steps of a build
  --min-slowdown 15%      smallest change that is told, relative
  --min-delta 1s          ... and absolute
  --fail-on regressed     exit 1 on: regressed; unsure (or regressed);
                          cache-lost; over-budget; never. Repeat it to name
                          several, which replace the default
  --config PATH           file with these (.buildregress.yaml, if it exists)

The report:
  --format text           to standard output: text, markdown, json
  --output FORMAT=PATH    and to a file, in a folder that exists (repeatable)
  --explain STEP          how the judgement on steps came about; STEP is a glob
                          on "[platform stage] INSTRUCTION text" or the part
                          behind "]", with * for any text
  --color auto            auto, always, never
  --verbose               say what is being done
  --timeout 2m            give up after that; 0 is never

On GitHub, each of them auto, always or never:
  --comment auto          on the pull request; auto makes one when there is
                          something to act on, and keeps it up to date
  --check-run auto        on the commit, with annotations
  --summary auto          of the job
  --annotations auto      in the job's log; auto where no check run can be made
GITHUB_TOKEN needs pull-requests: write and checks: write. What it may not post
is a warning. Elsewhere, --output markdown=PATH is for the CI system to post.

Exit status: 0 nothing to fail on, 1 --fail-on, 2 usage, 3 trouble.
`

const recordHelp = `Usage: buildregress record [flags] SOURCE…

Adds the builds in all SOURCEs to the history and judges nothing. A build that
the history holds already is not added again, but completed by what is new.

  --store sqlite:PATH     where to keep it (sqlite:.buildregress/history.db)
  --format builds         print the builds as JSON Lines instead
  --build REF|TARGET      which of several builds in SOURCE
  --pipeline NAME         builds of one pipeline are compared with each other
  --branch NAME           branch of the builds
  --revision COMMIT       commit of the builds
  --runner NAME           class of the machine that they ran on
Flags on builds in servers of traces: buildregress help servers

  --verbose               say what is being done
  --timeout 2m            give up after that; 0 is never

Examples:
  buildregress record --branch main records/
  buildregress record --format builds trace.json | jq .duration_seconds

Exit status: 0 all recorded, 2 usage, 3 a SOURCE or the store is in trouble; the
builds of the other SOURCEs are recorded then, too.
`

const backtestHelp = `Usage: buildregress backtest [flags] [SOURCE…]

Judges each build of the history as if it were new, by the builds before it, in
order of their start. Tells how many steps would have been called slower,
suspect or faster, which builds would have been stopped, and from which slowdown
on each step would have been called. SOURCEs are files or folders of builds;
without any, it is the store. Nothing is recorded.

  --inject 1.5            also slow steps of the base branch's builds down by a
                          factor, one at a time, and tell how often that is
                          found at the first, second and third build of one;
                          of more than 1000 such cases, 1000 are drawn, always
                          the same
  --builds 1000           newest builds of each pipeline that are replayed

The history:
  --store sqlite:PATH     where it is kept (sqlite:.buildregress/history.db)
  --pipeline NAME         of the store: only this one; of files: as for record
  --branch NAME           branch of the builds in the SOURCEs
  --runner NAME           class of the machine that they ran on
  --base-branch NAME      whose builds are the baseline (as for check)
  --lookback 30d          how far back rare steps are searched

The judgement, as for check:
  --window 50             newest samples of a step that count
  --min-history 8         samples without which a step is not judged
  --fdr 0.04              false discovery rate over the steps of a build
  --min-slowdown 15%      smallest change that is told, relative
  --min-delta 1s          ... and absolute
  --fail-on regressed     what stops a build (repeatable)
  --config PATH           file with these (.buildregress.yaml, if it exists)

The report:
  --format text           text or json
  --color auto            auto, always, never
  --verbose               say what is being done
  --timeout 2m            give up after that; 0 is never

Examples:
  buildregress backtest --inject 1.5
  buildregress backtest --min-slowdown 30% --format json | jq .results[0]
  buildregress backtest --branch main records/

Exit status: 0 done, whatever was found; 2 usage, 3 trouble.
`

const serversHelp = `Servers, as SOURCE or --baseline

GitHub:
  github://OWNER/NAME               build records among the artifacts of runs
  github-steps://OWNER/NAME         times of jobs and their steps, in seconds

The build is that of the workflow run that runs us, or that started ours
(workflow_run), or of --run-id ID. Its history are the newest successful runs of
the same workflow on the base branch, and the earlier ones of its pull request.
GITHUB_TOKEN (or GH_TOKEN, BUILDREGRESS_GITHUB_TOKEN) is to be one that may read
actions; GITHUB_API_URL names a GitHub other than github.com.

Traces:
  jaeger://HOST[:16685]             Jaeger's gRPC; jaegers:// with TLS
  jaeger+http://HOST[:16686][/PATH] Jaeger's HTTP; jaeger+https:// with TLS
  tempo+http://HOST[:3200][/PATH]   Grafana Tempo; tempo+https:// with TLS

The build is waited for until its trace is whole. Its history are the builds
with the same cicd.pipeline.name, and of the base branch by vcs.ref.head.name.
Builds say so if they are made with
  OTEL_RESOURCE_ATTRIBUTES=cicd.pipeline.name=NAME,cicd.pipeline.run.id=ID,\
  vcs.ref.head.name=BRANCH,vcs.ref.head.revision=COMMIT docker buildx build …

The build, and its history:
  --trace-id ID           the build's trace (default: that of TRACEPARENT)
  --run-id ID             the build of this CI run, its cicd.pipeline.run.id;
                          else that of OTEL_RESOURCE_ATTRIBUTES, of the CI
                          system's variables, or of its commit
  --service NAME          whose spans say so (buildx, buildctl; repeatable)
  --tag KEY=VALUE         the builds, those compared with too, have this
                          attribute (repeatable)
  --lookback 30d          how far back is searched
  --ui-url URL            Jaeger's pages, to link to; or a URL with {trace}

To reach a server:
  --ca-file FILE          certificates to trust, PEM
  --cert-file FILE        who we are, to servers that ask, with --key-file FILE
  --server-name NAME      in the server's certificate, if it is not HOST
  --insecure              do not look at the server's certificate
  --tenant NAME           X-Tenant of Jaeger, X-Scope-OrgID of Tempo
  --header "NAME: VALUE"  sent with each request (repeatable)
  --user NAME             with the password of --password-file FILE
  --token-file FILE       with a bearer token
Secrets are no flags: BUILDREGRESS_TOKEN, BUILDREGRESS_PASSWORD or
BUILDREGRESS_HEADER (a line each) hold them, or those files.
`

const versionHelp = `Usage: buildregress version

Prints the version of buildregress and of Go, and the platform.
`
