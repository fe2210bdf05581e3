package cli

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/report"
)

const autoAlwaysNever = "auto, always or never"

// options is the one table of all options, in the order of the help. A name may
// stand in it several times, for different commands.
var options = []option{
	{
		name: "inject", value: "1.5", on: onBacktest, section: theReplay,
		help: "also slow steps of the base branch's builds down by a\n" +
			"factor, one at a time, and tell how often that is\n" +
			"found at the first, second and third build of one;\n" +
			"of more than 1000 such cases, 1000 are drawn, always\n" +
			"the same",
		binding: injection(func(s *settings) *float64 { return &s.inject }),
	},
	{
		name: "builds", fallback: strconv.Itoa(command.MaxReplayed), on: onBacktest, section: theReplay,
		help:    "newest builds of each pipeline that are replayed",
		binding: whole(func(s *settings) *int { return &s.builds }, 1),
	},

	{
		name: "step", value: "GLOB", on: onHistory, section: theCourse,
		help:    "steps to tell of, as for --explain",
		binding: text(func(s *settings) *string { return &s.steps }),
	},
	{
		name: "branch", value: "NAME", on: onHistory, section: theCourse,
		help:    "whose builds are told of (default: --base-branch)",
		binding: text(func(s *settings) *string { return &s.branch }),
	},
	{
		name: "runner", value: "NAME", on: onHistory, section: theCourse,
		help:    "class of their machine (default: the newest one's)",
		binding: text(func(s *settings) *string { return &s.runner }),
	},
	{
		name: "since", value: "REV|DATE|90d", on: onHistory, section: theCourse,
		help:    "leave out builds before a revision, a date, or so\nlong ago",
		binding: since(func(s *settings) *command.Since { return &s.since }),
	},
	{
		name: "all", on: onHistory, section: theCourse, toggle: true,
		help:    "all steps, and of several pipelines all",
		binding: toggle(func(s *settings) *bool { return &s.allSteps }),
	},

	{
		name: "build", value: "REF|TARGET", on: onCheck | onRecord | onShow | onCompare, section: theBuild,
		help:    "which of several builds in SOURCE",
		input:   "which of several builds, by reference or target",
		binding: text(func(s *settings) *string { return &s.build }),
	},
	{
		name: "pipeline", value: "NAME", on: onCheck | onRecord | onShow | onCompare, section: theBuild,
		help:    "builds of one pipeline are compared with each other",
		input:   "name of what is built. Builds of one pipeline are compared with each other, and have a line of the comment",
		binding: text(func(s *settings) *string { return &s.pipeline }),
	},
	{
		name: "branch", value: "NAME", on: onCheck | onRecord, section: theBuild,
		help:    "branch of the build",
		binding: text(func(s *settings) *string { return &s.branch }),
	},
	{
		name: "base-branch", value: "NAME", on: onCheck, section: theBuild,
		help: "whose builds are the baseline (default: the pull\n" +
			"request's target, else the default branch, else main)",
		input:   "whose builds are the baseline. Default the pull request's target, else the default branch",
		binding: text(func(s *settings) *string { return &s.baseBranch }),
	},
	{
		name: "revision", value: "COMMIT", on: onCheck | onRecord, section: theBuild,
		help:    "commit of the build",
		binding: text(func(s *settings) *string { return &s.revision }),
	},
	{
		name: "runner", value: "NAME", on: onCheck | onRecord, section: theBuild,
		help:    "class of the machine that it ran on",
		binding: text(func(s *settings) *string { return &s.runner }),
	},
	{
		name: "dockerfile", value: "PATH", on: onCheck, section: theBuild,
		help:    "its Dockerfile, for lines that SOURCE does not tell",
		input:   "the Dockerfile, to name lines where the source knows none, as in logs and traces",
		binding: text(func(s *settings) *string { return &s.dockerfile }),
	},

	{
		name: "store", value: "ADDRESS", fallback: source.DefaultStore, on: onCheck | onRecord | onBacktest | onShow | onCompare | onHistory | onPrune, section: theHistory,
		help:    "sqlite:PATH (" + source.StorePath(source.DefaultStore) + ") or postgres://",
		input:   "where builds are kept, sqlite:PATH or postgres://HOST/DATABASE (PGPASSWORD has the password). Default a file that is cached from run to run",
		binding: storeURL(func(s *settings) *string { return &s.store }),
	},
	{
		name: "pipeline", value: "NAME", on: onPrune, section: theHistory,
		help:    "only this one",
		binding: text(func(s *settings) *string { return &s.pipeline }),
	},
	{
		name: "pipeline", value: "NAME", on: onBacktest | onHistory, section: theHistory,
		help:    "of the store: only this one; of files: as for record",
		binding: text(func(s *settings) *string { return &s.pipeline }),
	},
	{
		name: "branch", value: "NAME", on: onBacktest, section: theHistory,
		help:    "branch of the builds in the SOURCEs",
		binding: text(func(s *settings) *string { return &s.branch }),
	},
	{
		name: "runner", value: "NAME", on: onBacktest, section: theHistory,
		help:    "class of the machine that they ran on",
		binding: text(func(s *settings) *string { return &s.runner }),
	},
	{
		name: "base-branch", value: "NAME", on: onBacktest | onHistory | onPrune, section: theHistory,
		help:    "whose builds are the baseline (as for check)",
		binding: text(func(s *settings) *string { return &s.baseBranch }),
	},
	{
		name: "baseline", value: "SOURCE", on: onCheck, section: theHistory,
		help: "compare with the builds in a file, folder, store or\n" +
			"server (default: SOURCE, if that is a server)",
		input:   "what to compare with. Default github://OWNER/NAME of this repository, unless a store is given or the source is a server",
		binding: baseline(func(s *settings) *string { return &s.baseline }),
	},
	{
		name: "lookback", fallback: "30d", on: onCheck | onRecord | onBacktest | onShow | onCompare | onHistory | onPrune, section: theHistory,
		help:    "how far back is searched",
		input:   "how far back rare steps are searched",
		binding: duration(func(s *settings) *time.Duration { return &s.lookback }),
	},
	{
		name: "keep", value: "180d", on: onCheck | onRecord, section: theHistory,
		help:    "thin older builds (default: keep all)",
		input:   "thin builds that are older, such as 180d. Default keep all",
		binding: duration(func(s *settings) *time.Duration { return &s.keep }),
	},
	{
		name: "keep", fallback: "180d", on: onPrune, section: theHistory,
		help:    "for how long all of a build is kept",
		binding: duration(func(s *settings) *time.Duration { return &s.prunedAfter }),
	},
	{
		name: "record", fallback: "auto", on: onCheck, section: theHistory,
		help:    "add builds: auto (new, on no server), always, never",
		input:   "keep the build in the store, " + autoAlwaysNever,
		binding: when(func(s *settings) *command.When { return &s.record }),
	},

	{
		name: "window", fallback: strconv.Itoa(detect.DefaultThresholds.Window), on: onCheck | onRecord | onBacktest | onPrune, section: theJudgement, inFile: true,
		help:    "newest samples of a step that count",
		binding: whole(func(s *settings) *int { return &s.thresholds.Window }, level.MinWindow),
	},
	{
		name: "min-history", fallback: strconv.Itoa(detect.DefaultThresholds.MinHistory), on: onCheck | onRecord | onBacktest | onPrune, section: theJudgement, inFile: true,
		help:    "samples without which a step is not judged",
		binding: whole(func(s *settings) *int { return &s.thresholds.MinHistory }, 3),
	},
	{
		name: "fdr", fallback: fmt.Sprint(detect.DefaultThresholds.FDR), on: onCheck | onBacktest, section: theJudgement, inFile: true,
		help:    "false discovery rate over the steps of a build",
		binding: share(func(s *settings) *float64 { return &s.thresholds.FDR }),
	},
	{
		name: "min-slowdown", fallback: fmt.Sprintf("%g%%", 100*detect.DefaultThresholds.MinSlowdown), on: onCheck | onBacktest | onHistory, section: theJudgement, inFile: true,
		help:    "smallest change that is reported, relative",
		binding: percent(func(s *settings) *float64 { return &s.thresholds.MinSlowdown }),
	},
	{
		name: "min-delta", fallback: detect.DefaultThresholds.MinDelta.D().String(), on: onCheck | onBacktest | onHistory, section: theJudgement, inFile: true,
		help:    "... and absolute",
		input:   "smallest change that is reported, absolute",
		binding: seconds(func(s *settings) *timeline.Seconds { return &s.thresholds.MinDelta }),
	},
	{
		name: "min-delta", fallback: detect.DefaultThresholds.MinDelta.D().String(), on: onShow, section: theJudgement, inFile: true,
		help:    "least time to be saved that is told",
		binding: seconds(func(s *settings) *timeline.Seconds { return &s.thresholds.MinDelta }),
	},
	{
		name: "fail-on", fallback: failures[0], on: onCheck, section: theJudgement, inFile: true, many: true,
		help: "exit 1 on: regressed; unsure (or regressed); waiting;\n" +
			"cache-lost; over-budget; never. Repeatable",
		input:   "what fails the step, one a line of regressed, unsure, cache-lost, over-budget, waiting; or never",
		binding: failOn(func(s *settings) *[]string { return &s.failOn }),
	},
	{
		name: "fail-on", fallback: failures[0], on: onBacktest, section: theJudgement, inFile: true, many: true,
		help:    "what stops a build (repeatable)",
		binding: failOn(func(s *settings) *[]string { return &s.failOn }),
	},
	{
		name: "config", value: "PATH", on: onCheck | onRecord | onBacktest | onHistory | onShow | onPrune, section: theJudgement,
		help:    "file with these (" + configPath + ", if it exists)",
		input:   "file with settings. Default " + configPath + ", if it is there",
		binding: text(func(s *settings) *string { return &s.config }),
	},

	{
		name: "format", fallback: report.Formats()[0], on: onCheck | onReport, section: theReport,
		help:    "to standard output: " + strings.Join(report.Formats(), ", "),
		input:   "of the report in the log, " + strings.Join(report.Formats(), ", "),
		binding: choice(func(s *settings) *report.Format { return &s.format }, formats(report.Formats()...)...),
	},
	{
		name: "format", value: "builds", on: onRecord, section: theReport,
		help:    "print the builds as JSON Lines instead",
		binding: printBuilds(func(s *settings) *bool { return &s.printBuilds }),
	},
	{
		name: "format", fallback: "text", on: onBacktest, section: theReport,
		help:    "text or json",
		binding: choice(func(s *settings) *report.Format { return &s.format }, formats("text", "json")...),
	},
	{
		name: "format", fallback: report.ShownFormats()[0], on: onShow | onCompare, section: theReport,
		help:    "to standard output: " + strings.Join(report.ShownFormats(), ", "),
		binding: choice(func(s *settings) *report.Format { return &s.format }, formats(report.ShownFormats()...)...),
	},
	{
		name: "format", fallback: report.HistoryFormats()[0], on: onHistory, section: theReport,
		help:    "to standard output: " + strings.Join(report.HistoryFormats(), ", "),
		binding: choice(func(s *settings) *report.Format { return &s.format }, formats(report.HistoryFormats()...)...),
	},
	{
		name: "output", value: "FORMAT=PATH", on: onHistory, section: theReport, many: true,
		help:    "and to a file, in a folder that exists (repeatable)",
		binding: outputs(func(s *settings) *[]command.OutputFile { return &s.output }, report.HistoryFormats()...),
	},
	{
		name: "output", value: "FORMAT=PATH", on: onShow | onCompare, section: theReport, many: true,
		help:    "and to a file, in a folder that exists (repeatable)",
		binding: outputs(func(s *settings) *[]command.OutputFile { return &s.output }, report.ShownFormats()...),
	},
	{
		name: "output", value: "FORMAT=PATH", on: onCheck | onReport, section: theReport, many: true,
		help:    "and to a file, in a folder that exists (repeatable)",
		input:   "further reports, FORMAT=PATH, one a line",
		binding: outputs(func(s *settings) *[]command.OutputFile { return &s.output }, report.Formats()...),
	},
	{
		name: "causes", fallback: "auto", on: onCheck | onRecord, section: theReport,
		help:    "tell why a step is slower: auto, never",
		input:   "auto tells why a step is slower, where the records and the checkout tell; never does not, and keeps nothing that could",
		binding: choice(func(s *settings) *command.When { return &s.causes }, command.Auto, command.Never),
	},
	{
		name: "explain", value: "STEP", on: onCheck, section: theReport,
		help:    "how a step was judged: as reports call it, or a glob",
		input:   "step whose judgement is explained in the log, as reports call it, a part of its name, or a glob",
		binding: text(func(s *settings) *string { return &s.explain }),
	},
	{
		name: "color", fallback: "auto", on: onCheck | onBacktest | onReport | onShow | onCompare | onHistory, section: theReport,
		help:    "auto, always, never",
		noInput: true,
		binding: when(func(s *settings) *command.When { return &s.color }),
	},
	{
		name: "mask-env", value: "NAME", on: onCheck | onRecord | onBacktest | onReport | onShow | onCompare | onHistory | onPrune, section: theReport, many: true,
		help:    "cut its value out of all that is written (repeatable)",
		input:   "variables of the environment whose values are cut out of all that is written, one a line",
		binding: list(func(s *settings) *[]string { return &s.maskEnv }),
	},
	{
		name: "verbose", on: onCheck | onRecord | onBacktest | onShow | onCompare | onHistory | onPrune, section: theReport, toggle: true,
		help:    "say what is being done",
		input:   "say what is being done. Default false",
		binding: toggle(func(s *settings) *bool { return &s.verbose }),
	},
	{
		name: "timeout", fallback: "2m", on: onCheck | onRecord | onBacktest | onShow | onCompare | onHistory | onPrune, section: theReport,
		help:    "give up after that; 0 is never",
		input:   "give up after that",
		binding: duration(func(s *settings) *time.Duration { return &s.timeout }),
	},

	{
		name: "comment", fallback: "auto", on: onCheck, section: onGitHub,
		help:    "on the pull request, once there is what to act on",
		input:   "comment on the pull request, " + autoAlwaysNever,
		binding: when(func(s *settings) *command.When { return &s.comment }),
	},
	{
		name: "comment", fallback: "never", on: onReport, section: theReport,
		help:    "on GitHub's pull request: auto, always, never",
		binding: when(func(s *settings) *command.When { return &s.commentSaved }),
	},
	{
		name: "report-url", value: "URL", on: onReport, section: theReport,
		help:    "where the report is as HTML, for the comment to link",
		binding: text(func(s *settings) *string { return &s.reportURL }),
	},
	{
		name: "check-run", fallback: "auto", on: onCheck, section: onGitHub,
		help:    "on the commit, with annotations",
		input:   "check run on the commit, " + autoAlwaysNever,
		binding: when(func(s *settings) *command.When { return &s.checkRun }),
	},
	{
		name: "issue", fallback: "never", on: onCheck, section: onGitHub,
		help:    "on what got slower on the default branch, once",
		input:   "issue, opened once, on what is proven slower on the default branch, " + autoAlwaysNever,
		binding: when(func(s *settings) *command.When { return &s.issue }),
	},
	{
		name: "summary", fallback: "auto", on: onCheck, section: onGitHub,
		help:    "of the job",
		input:   "summary of the job, " + autoAlwaysNever,
		binding: when(func(s *settings) *command.When { return &s.summary }),
	},
	{
		name: "annotations", fallback: "auto", on: onCheck, section: onGitHub,
		help:    "in the job's log; auto where no check run can be made",
		input:   "annotations in the log, " + autoAlwaysNever,
		binding: when(func(s *settings) *command.When { return &s.annotated }),
	},

	{
		name: "trace-id", value: "ID", on: onAsking, section: serverBuild,
		help:    "the build's trace (default: that of TRACEPARENT)",
		binding: traceID(func(s *settings) *string { return &s.traceID }),
	},
	{
		name: "run-id", value: "ID", on: onAsking, section: serverBuild,
		help: "the build of this CI run, its cicd.pipeline.run.id;\n" +
			"else that of OTEL_RESOURCE_ATTRIBUTES, of the CI\n" +
			"system's variables, or of its commit",
		binding: text(func(s *settings) *string { return &s.runID }),
	},
	{
		name: "service", value: "NAME", on: onAsking, section: serverBuild, many: true,
		help:    "whose spans say so (buildx, buildctl; repeatable)",
		binding: list(func(s *settings) *[]string { return &s.services }),
	},
	{
		name: "tag", value: "KEY=VALUE", on: onAsking, section: serverBuild, many: true,
		help: "the builds, those compared with too, have this\n" +
			"attribute (repeatable)",
		binding: tags(func(s *settings) *map[string]string { return &s.tags }),
	},
	{
		name: "baseline-any-branch", on: onCheck, section: serverBuild, toggle: true,
		help: "compare with builds that say no branch, where\n" +
			"none on the server says one",
		binding: toggle(func(s *settings) *bool { return &s.anyBranch }),
	},
	{
		name: "trace-as", value: "pipeline", on: onAsking | onRecord, section: serverBuild,
		help:    "read any trace as the run of a pipeline",
		input:   "pipeline reads a trace that no known program made as the run of a pipeline",
		binding: traceAs(func(s *settings) *bool { return &s.anyTrace }),
	},
	{
		name: "job", value: "GLOB", on: onAsking | onRecord, section: serverBuild,
		help:    "of a pipeline's run only these jobs",
		binding: text(func(s *settings) *string { return &s.jobs }),
	},
	{
		name: "ui-url", value: "URL", on: onAsking, section: serverBuild,
		help:    "Jaeger's pages, to link to; or a URL with {trace}",
		binding: text(func(s *settings) *string { return &s.uiURL }),
	},

	{
		name: "ca-file", value: "FILE", on: onAsking, section: serverReach,
		help:    "certificates to trust, PEM",
		binding: text(func(s *settings) *string { return &s.caFile }),
	},
	{
		name: "cert-file", value: "FILE", on: onAsking, section: serverReach,
		help:    "who we are, to servers that ask, with --key-file FILE",
		binding: text(func(s *settings) *string { return &s.certFile }),
	},
	{
		name: "key-file", value: "FILE", on: onAsking, section: secrets,
		help:    "the key of --cert-file",
		binding: text(func(s *settings) *string { return &s.keyFile }),
	},
	{
		name: "server-name", value: "NAME", on: onAsking, section: serverReach,
		help:    "in the server's certificate, if it is not HOST",
		binding: text(func(s *settings) *string { return &s.serverName }),
	},
	{
		name: "insecure", on: onAsking, section: serverReach, toggle: true,
		help:    "do not look at the server's certificate",
		binding: toggle(func(s *settings) *bool { return &s.insecure }),
	},
	{
		name: "tenant", value: "NAME", on: onAsking, section: serverReach,
		help:    "X-Tenant of Jaeger, X-Scope-OrgID of Tempo",
		binding: text(func(s *settings) *string { return &s.tenant }),
	},
	{
		name: "header", value: `"NAME: VALUE"`, on: onAsking, section: serverReach, many: true,
		help:    "sent with each request (repeatable)",
		binding: headers(func(s *settings) *http.Header { return &s.header }),
	},
	{
		name: "user", value: "NAME", on: onAsking, section: serverReach,
		help:    "with the password of --password-file FILE",
		binding: text(func(s *settings) *string { return &s.user }),
	},
	{
		name: "password-file", value: "FILE", on: onAsking, section: secrets,
		help:    "the password of --user",
		binding: text(func(s *settings) *string { return &s.passwordFile }),
	},
	{
		name: "token-file", value: "FILE", on: onAsking, section: serverReach,
		help:    "with a bearer token",
		binding: text(func(s *settings) *string { return &s.tokenFile }),
	},
	{
		name: "allow-plaintext-token", on: onAsking, section: serverReach, toggle: true,
		help:    "send secrets without TLS, not only to this machine",
		binding: toggle(func(s *settings) *bool { return &s.allowPlaintext }),
	},
	{
		name: "password", on: onAsking, section: secrets, secret: true,
		binding: text(func(s *settings) *string { return &s.password }),
	},
	{
		name: "token", on: onAsking, section: secrets, secret: true,
		binding: text(func(s *settings) *string { return &s.token }),
	},
}
