package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/command"
)

// runHelp prints how buildregress is used, or one of its commands.
func runHelp(_ context.Context, p *Process, _ *settings, args []string) (code int, err error) {
	text := helpText()
	if len(args) > 0 {
		text = helpOn(args[0])
	}
	_, err = io.WriteString(p.Stdout, text)
	return 0, err
}

func helpFaults(_ *Process, _ *settings, args []string) []error {
	if len(args) > 0 && helpOn(args[0]) == "" {
		e := usageError{masked("no help on %q", args[0]), "buildregress help lists the commands"}
		if meant := command.Closest(args[0], commandNames(), 3); meant != "" {
			e.hint = "did you mean buildregress help " + meant + "?"
		}
		return []error{e}
	}
	return surplus(args[min(len(args), 1):])
}

// helpOn is the help on a command, or on servers; "" if there is none.
func helpOn(topic string) string {
	switch topic {
	case "help":
		return helpText()
	case "servers":
		return serversHelp()
	case "check":
		return checkHelp()
	case "record":
		return recordHelp()
	case "backtest":
		return backtestHelp()
	case "history":
		return historyHelp()
	case "show":
		return showHelp()
	case "compare":
		return compareHelp()
	case "prune":
		return pruneHelp()
	case "report":
		return reportHelp()
	case "version":
		return versionHelp
	}
	return ""
}

// helpColumn is where the help on a flag begins.
const helpColumn = 26

// flagsHelp are the lines on the options of a section that a command takes.
func flagsHelp(on taker, s *section) string {
	var b strings.Builder
	for _, o := range optionsOf(on) {
		if o.section != s {
			continue
		}
		flag := "  --" + o.name
		if !o.toggle {
			flag += " " + o.shown()
		}
		for i, line := range strings.Split(o.help, "\n") {
			if i > 0 {
				flag = ""
			}
			fmt.Fprintf(&b, "%-*s%s\n", helpColumn, flag, line)
		}
	}
	return b.String()
}

// shown is what stands for the option's value in the help.
func (o *option) shown() string {
	if o.value != "" {
		return o.value
	}
	return o.fallback
}

// sectionHelp is a section of the help of a command, with its title.
func sectionHelp(on taker, s *section) string {
	return s.title + ":\n" + flagsHelp(on, s)
}

// schemesHelp are the lines on the schemes of servers in a section.
func schemesHelp(section source.Section) string {
	const column = 36
	var b strings.Builder
	for _, scheme := range source.Schemes() {
		if scheme.Form != "" && scheme.Section == section {
			fmt.Fprintf(&b, "%-*s%s\n", column, "  "+scheme.Form, scheme.Help)
		}
	}
	return b.String()
}

// inWords lists names as a sentence does, in lines of a width. The first line has so
// many characters already.
func inWords(names []string, line, width int) string {
	var b strings.Builder
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			name = "and " + name
		}
		if i < len(names)-2 {
			name += ","
		}
		if line+len(name)+1 > width {
			b.WriteString("\n")
			line = 0
		} else if i > 0 {
			b.WriteString(" ")
			line++
		}
		b.WriteString(name)
		line += len(name)
	}
	return b.String()
}

func helpText() string {
	keys := slices.Concat(configKeys(), []string{"budgets (max)", "rules for single steps (steps)", "changes that were accepted (accept)", "advice that is not wanted (dismiss)"})
	return helpIntro + inWords(keys, len("file .buildregress.yaml, which holds "), 78) + helpExit
}

const helpIntro = `buildregress tells which step of a container build got slower, by how much,
and whether that is real or just a slow machine.

Usage:
  buildregress check [flags] [SOURCE]   judge a build against the history
  buildregress record [flags] SOURCE…   add builds to the history
  buildregress backtest [flags]         what the history would have been told
  buildregress history [flags] [SOURCE…]
                                        which steps got slower or faster, since
                                        when, and what that cost or saved
  buildregress show [flags] [SOURCE]    one build: how long it took, and why
  buildregress compare [flags] A B      two builds, step by step
  buildregress prune [flags]            thin the old builds of the store
  buildregress report [flags] RESULT    print a saved result again
  buildregress version                  print the version
  buildregress help [COMMAND]           print this, or the flags of a command

SOURCE is a file, a folder of files, or - for standard input. Files are
recognised by their content: build records of docker buildx (.dockerbuild),
progress logs (--progress=rawjson), OTLP and Jaeger traces, builds files.
buildx:[BUILDER/][REF] is a record of the local builder, the newest without REF;
buildx:REF,REF are several, 'buildx:*' all of them, and buildx:@FILE those that
docker buildx build --metadata-file wrote to FILE, or the newest where it wrote
none. Check without SOURCE takes buildx: itself.
github://OWNER/NAME are the build records that the workflow runs of a repository
keep as artifacts, and github-steps://OWNER/NAME the times of their jobs' steps;
gitlab://GROUP/PROJECT are the times of the jobs of GitLab's pipelines.
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
file .buildregress.yaml, which holds `

const helpExit = `.

Exit status:
  0  nothing to fail on; also if there is too little history to judge by
  1  the verdict, or a step's status, is one that --fail-on names
  2  bad usage or configuration
  3  the job could not be done: source unreadable, build not found, store broken
`

func checkHelp() string {
	return `Usage: buildregress check [flags] [SOURCE]

Judges the builds in SOURCE, reports, and adds those just made to the history.
Without SOURCE that is the newest build of the local builder, buildx:.

` + sectionHelp(onCheck, theBuild) + `What is not given is taken from the build, from the CI system's variables and
from the git checkout, the last two for builds that ended within a day: of
several, for the newest and for those of the same commit.

` + sectionHelp(onCheck, theHistory) + `
Flags on builds in servers of traces, such as --trace-id and --run-id, and on
how to reach these: buildregress help servers

` + sectionHelp(onCheck, theJudgement) + `
` + sectionHelp(onCheck, theReport) + `
` + sectionHelp(onCheck, onGitHub) + `GITHUB_TOKEN needs pull-requests, checks and issues: write. What it may not post
is a warning. Elsewhere, --output markdown=PATH is for the CI system to post.

Exit status: 0 nothing to fail on, 1 --fail-on, 2 usage, 3 trouble.
`
}

func recordHelp() string {
	return `Usage: buildregress record [flags] SOURCE…

Adds the builds in all SOURCEs to the history and judges nothing. A build that
the history holds already is not added again, but completed by what is new.

` + flagsHelp(onRecord, theHistory) + flagsHelp(onRecord, theBuild) + `Flags on builds in servers of traces: buildregress help servers

The judgement for which --keep thins, as for check:
` + flagsHelp(onRecord, theJudgement) + `
` + flagsHelp(onRecord, theReport) + `
Examples:
  buildregress record --branch main records/
  buildregress record 'buildx:*'
  buildregress record --format builds trace.json | jq .duration_seconds

Exit status: 0 all recorded, 2 usage, 3 a SOURCE or the store is in trouble; the
builds of the other SOURCEs are recorded then, too.
`
}

func backtestHelp() string {
	return `Usage: buildregress backtest [flags] [SOURCE…]

Judges each build of the history as if it were new, by the builds before it, in
order of their start. Tells how many steps would have been flagged as slower,
suspect or faster, which builds would have been stopped, and how large a
slowdown of each step must be to be detected. SOURCEs are files or folders of
builds; without any, it is the store. Nothing is recorded.

` + flagsHelp(onBacktest, theReplay) + `
` + sectionHelp(onBacktest, theHistory) + `
The judgement, as for check:
` + flagsHelp(onBacktest, theJudgement) + `
` + sectionHelp(onBacktest, theReport) + `
Examples:
  buildregress backtest --inject 1.5
  buildregress backtest --min-slowdown 30% --format json | jq .results[0]
  buildregress backtest --branch main records/

Exit status: 0 done, whatever was found; 2 usage, 3 trouble.
`
}

func pruneHelp() string {
	return `Usage: buildregress prune [flags]

Thins the builds of the store that are older than --keep to what judgements and
histories need: how long steps took, as far as that is remembered; and whole the
first build of each week, and those at which a step got slower or faster for
good. The newest 500 builds of a branch (10 times --window, if that is more)
stay whole whatever their age. The verdict on a later build is the same as
without, if it is judged with no larger --window. Forgotten are old builds of
pull requests, failed ones, and those of branches with fewer than --min-history
builds (8 at least) none of which is newer; the newest of a pipeline stay.

` + sectionHelp(onPrune, theHistory) + `
The judgement for which builds are kept, as for check:
` + flagsHelp(onPrune, theJudgement) + `
` + sectionHelp(onPrune, theReport) + `
Examples:
  buildregress prune --keep 90d
  buildregress check --keep 180d new.dockerbuild

Exit status: 0 done, 2 usage, 3 trouble: what was done until then stays done.
`
}

func historyHelp() string {
	return `Usage: buildregress history [flags] [SOURCE…]

Tells how a pipeline behaved over its builds: how long they and each of their
steps usually take, since which revision, what it was before, and what each
lasting change, to the slower or the faster, has cost or saved since; and where
it would pay to work.
SOURCEs are files, folders or servers; without any, it is the store. Of several
pipelines each gets a line, the worst first.

` + sectionHelp(onHistory, theCourse) + `
` + sectionHelp(onHistory, theHistory) + `Flags on builds in servers of traces: buildregress help servers

What counts as a change, and as worth to be saved:
` + flagsHelp(onHistory, theJudgement) + `
` + sectionHelp(onHistory, theReport) + `
Examples:
  buildregress history --since 90d
  buildregress history --step '*npm ci*' --min-delta 100ms
  buildregress history --format csv records/ >durations.csv

Exit status: 0 told, 2 usage, 3 trouble.
`
}

func showHelp() string {
	return `Usage: buildregress show [flags] [SOURCE]

Shows one build and judges nothing: how long it took, which steps decided that
(the critical path), where time could be saved, when each ran, what it
transferred, and why it failed. Of
several builds in SOURCE it is the newest. SOURCE may also be a build in the
store: its id, its revision or the first letters of that; ^1 is the build before
the newest there. Without SOURCE it is the newest one of the local builder.

` + flagsHelp(onShow, theBuild) + flagsHelp(onShow, theHistory) + `Flags on builds in servers of traces: buildregress help servers

What is worth to be saved:
` + flagsHelp(onShow, theJudgement) + `
` + sectionHelp(onShow, theReport) + `
Examples:
  buildregress show new.dockerbuild
  buildregress show 3f9c2ab --format markdown

Exit status: 0 shown, 2 usage, 3 trouble.
`
}

func compareHelp() string {
	return `Usage: buildregress compare [flags] A B

Shows two builds beside each other and judges nothing: what the difference of
their durations consists of, what else is different, each step, and when the
steps of both ran, on one axis. A and B are each a SOURCE, of which the newest
build is taken, or a build in the store: its id, its revision or the first
letters of that. A may also be ^1, the build before B on its branch, or usual:
of the base branch's newest builds before B the one of the median duration.

` + flagsHelp(onCompare, theBuild) + flagsHelp(onCompare, theHistory) + `Flags on builds in servers of traces: buildregress help servers

` + sectionHelp(onCompare, theReport) + `
Examples:
  buildregress compare old.dockerbuild new.dockerbuild
  buildregress compare usual buildx: --format html >difference.html

Exit status: 0 compared, 2 usage, 3 trouble.
`
}

func reportHelp() string {
	return `Usage: buildregress report [flags] RESULT

Prints the result of a check again that --format json or --output json=PATH has
saved, of this or an earlier version. RESULT is its file, or - for standard
input. Nothing is judged again.

` + sectionHelp(onReport, theReport) + `
Examples:
  buildregress report result.json
  buildregress report --format junit result.json >junit.xml

Exit status: 0 done, whatever the result says; 2 usage, 3 trouble.
`
}

func serversHelp() string {
	return `Servers, as SOURCE or --baseline

GitHub:
` + schemesHelp(source.GitHubServers) + `
The build is that of the workflow run that runs us, or that started ours
(workflow_run), or of --run-id ID. Its history are the newest runs of
the same workflow on the base branch, and the earlier ones of its pull request.
GITHUB_TOKEN (or GH_TOKEN, BUILDREGRESS_GITHUB_TOKEN) is to be one that may read
actions; GITHUB_API_URL names a GitHub other than github.com.

GitLab:
` + schemesHelp(source.GitLabServers) + `
The build is the pipeline that runs us, as far as it has come, or that of
--run-id ID. Its history are the newest pipelines of the base branch, and the
earlier ones of its merge request. GITLAB_TOKEN, or BUILDREGRESS_GITLAB_TOKEN,
is to be one with read_api; without it CI_JOB_TOKEN is shown. CI_SERVER_URL is
that of a GitLab other than gitlab.com.

Traces:
` + schemesHelp(source.TraceServers) + `
The build is waited for until its trace is whole. Its history are the builds
with the same cicd.pipeline.name, and of the base branch by vcs.ref.head.name.
Builds say so if they are made with
  OTEL_RESOURCE_ATTRIBUTES=cicd.pipeline.name=NAME,cicd.pipeline.run.id=ID,\
  vcs.ref.head.name=BRANCH,vcs.ref.head.revision=COMMIT docker buildx build …

` + sectionHelp(onCheck, serverBuild) + `
` + sectionHelp(onCheck, serverReach) + `Secrets are no flags: BUILDREGRESS_TOKEN, BUILDREGRESS_PASSWORD or
BUILDREGRESS_HEADER (a line each) hold them, or those files.
`
}

const versionHelp = `Usage: buildregress version

Prints the version of buildregress and of Go, and the platform.
`
