package cli

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
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
		name: "build", value: "REF|TARGET", on: onCheck | onRecord, section: theBuild,
		help:    "which of several builds in SOURCE",
		input:   "which of several builds, by reference or target",
		binding: text(func(s *settings) *string { return &s.build }),
	},
	{
		name: "pipeline", value: "NAME", on: onCheck | onRecord, section: theBuild,
		help:    "builds of one pipeline are compared with each other",
		input:   "name of what is built. Builds of one pipeline are compared with each other and share a comment",
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
		name: "store", value: "sqlite:PATH", fallback: source.DefaultStore, on: onCheck | onRecord | onBacktest, section: theHistory,
		help:    "where it is kept (" + source.DefaultStore + ")",
		input:   "where builds are kept, sqlite:PATH. Default a file that is cached from run to run",
		binding: storeURL(func(s *settings) *string { return &s.store }),
	},
	{
		name: "pipeline", value: "NAME", on: onBacktest, section: theHistory,
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
		name: "base-branch", value: "NAME", on: onBacktest, section: theHistory,
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
		name: "lookback", fallback: "30d", on: onCheck | onRecord | onBacktest, section: theHistory,
		help:    "how far back is searched",
		input:   "how far back rare steps are searched",
		binding: duration(func(s *settings) *time.Duration { return &s.lookback }),
	},
	{
		name: "record", fallback: "auto", on: onCheck, section: theHistory,
		help:    "add builds: auto (new, on no server), always, never",
		input:   "keep the build in the store, " + autoAlwaysNever,
		binding: when(func(s *settings) *command.When { return &s.record }),
	},

	{
		name: "window", fallback: strconv.Itoa(detect.DefaultThresholds.Window), on: onCheck | onBacktest, section: theJudgement, inFile: true,
		help:    "newest samples of a step that count",
		binding: whole(func(s *settings) *int { return &s.thresholds.Window }, detect.MinWindow),
	},
	{
		name: "min-history", fallback: strconv.Itoa(detect.DefaultThresholds.MinHistory), on: onCheck | onBacktest, section: theJudgement, inFile: true,
		help:    "samples without which a step is not judged",
		binding: whole(func(s *settings) *int { return &s.thresholds.MinHistory }, 3),
	},
	{
		name: "fdr", fallback: fmt.Sprint(detect.DefaultThresholds.FDR), on: onCheck | onBacktest, section: theJudgement, inFile: true,
		help:    "false discovery rate over the steps of a build",
		binding: share(func(s *settings) *float64 { return &s.thresholds.FDR }),
	},
	{
		name: "min-slowdown", fallback: fmt.Sprintf("%g%%", 100*detect.DefaultThresholds.MinSlowdown), on: onCheck | onBacktest, section: theJudgement, inFile: true,
		help:    "smallest change that is reported, relative",
		binding: percent(func(s *settings) *float64 { return &s.thresholds.MinSlowdown }),
	},
	{
		name: "min-delta", fallback: detect.DefaultThresholds.MinDelta.D().String(), on: onCheck | onBacktest, section: theJudgement, inFile: true,
		help:    "... and absolute",
		input:   "smallest change that is reported, absolute",
		binding: seconds(func(s *settings) *detect.Seconds { return &s.thresholds.MinDelta }),
	},
	{
		name: "fail-on", fallback: failures[0], on: onCheck, section: theJudgement, inFile: true, many: true,
		help: "exit 1 on: regressed; unsure (or regressed);\n" +
			"cache-lost; over-budget; never. Repeat it to name\n" +
			"several, which replace the default",
		input:   "what fails the step, one a line of regressed, unsure, cache-lost, over-budget; or never",
		binding: failOn(func(s *settings) *[]string { return &s.failOn }),
	},
	{
		name: "fail-on", fallback: failures[0], on: onBacktest, section: theJudgement, inFile: true, many: true,
		help:    "what stops a build (repeatable)",
		binding: failOn(func(s *settings) *[]string { return &s.failOn }),
	},
	{
		name: "config", value: "PATH", on: onCheck | onBacktest, section: theJudgement,
		help:    "file with these (" + configPath + ", if it exists)",
		input:   "file with settings. Default " + configPath + ", if it is there",
		binding: text(func(s *settings) *string { return &s.config }),
	},

	{
		name: "format", fallback: report.Formats()[0], on: onCheck, section: theReport,
		help:    "to standard output: " + strings.Join(report.Formats(), ", "),
		input:   "of the report in the log, text, markdown or json",
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
		name: "output", value: "FORMAT=PATH", on: onCheck, section: theReport, many: true,
		help:    "and to a file, in a folder that exists (repeatable)",
		input:   "further reports, FORMAT=PATH, one a line",
		binding: outputs(func(s *settings) *[]command.OutputFile { return &s.output }),
	},
	{
		name: "explain", value: "STEP", on: onCheck, section: theReport,
		help: "how the judgement on steps came about; STEP is a glob\n" +
			"on \"[platform stage] INSTRUCTION text\" or the part\n" +
			"behind \"]\", with * for any text",
		input:   "glob of the steps whose judgement is explained in the log",
		binding: text(func(s *settings) *string { return &s.explain }),
	},
	{
		name: "color", fallback: "auto", on: onCheck | onBacktest, section: theReport,
		help:    "auto, always, never",
		noInput: true,
		binding: when(func(s *settings) *command.When { return &s.color }),
	},
	{
		name: "mask-env", value: "NAME", on: onCheck | onRecord | onBacktest, section: theReport, many: true,
		help:    "cut its value out of all that is written (repeatable)",
		input:   "variables of the environment whose values are cut out of all that is written, one a line",
		binding: list(func(s *settings) *[]string { return &s.maskEnv }),
	},
	{
		name: "verbose", on: onCheck | onRecord | onBacktest, section: theReport, toggle: true,
		help:    "say what is being done",
		input:   "say what is being done. Default false",
		binding: toggle(func(s *settings) *bool { return &s.verbose }),
	},
	{
		name: "timeout", fallback: "2m", on: onCheck | onRecord | onBacktest, section: theReport,
		help:    "give up after that; 0 is never",
		input:   "give up after that",
		binding: duration(func(s *settings) *time.Duration { return &s.timeout }),
	},

	{
		name: "comment", fallback: "auto", on: onCheck, section: onGitHub,
		help: "on the pull request; auto makes one when there is\n" +
			"something to act on, and keeps it up to date",
		input:   "comment on the pull request, " + autoAlwaysNever,
		binding: when(func(s *settings) *command.When { return &s.comment }),
	},
	{
		name: "check-run", fallback: "auto", on: onCheck, section: onGitHub,
		help:    "on the commit, with annotations",
		input:   "check run on the commit, " + autoAlwaysNever,
		binding: when(func(s *settings) *command.When { return &s.checkRun }),
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
		name: "trace-id", value: "ID", on: onCheck | onRecord, section: serverBuild,
		help:    "the build's trace (default: that of TRACEPARENT)",
		binding: traceID(func(s *settings) *string { return &s.traceID }),
	},
	{
		name: "run-id", value: "ID", on: onCheck | onRecord, section: serverBuild,
		help: "the build of this CI run, its cicd.pipeline.run.id;\n" +
			"else that of OTEL_RESOURCE_ATTRIBUTES, of the CI\n" +
			"system's variables, or of its commit",
		binding: text(func(s *settings) *string { return &s.runID }),
	},
	{
		name: "service", value: "NAME", on: onCheck | onRecord, section: serverBuild, many: true,
		help:    "whose spans say so (buildx, buildctl; repeatable)",
		binding: list(func(s *settings) *[]string { return &s.services }),
	},
	{
		name: "tag", value: "KEY=VALUE", on: onCheck | onRecord, section: serverBuild, many: true,
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
		name: "ui-url", value: "URL", on: onCheck | onRecord, section: serverBuild,
		help:    "Jaeger's pages, to link to; or a URL with {trace}",
		binding: text(func(s *settings) *string { return &s.uiURL }),
	},

	{
		name: "ca-file", value: "FILE", on: onCheck | onRecord, section: serverReach,
		help:    "certificates to trust, PEM",
		binding: text(func(s *settings) *string { return &s.caFile }),
	},
	{
		name: "cert-file", value: "FILE", on: onCheck | onRecord, section: serverReach,
		help:    "who we are, to servers that ask, with --key-file FILE",
		binding: text(func(s *settings) *string { return &s.certFile }),
	},
	{
		name: "key-file", value: "FILE", on: onCheck | onRecord, section: secrets,
		help:    "the key of --cert-file",
		binding: text(func(s *settings) *string { return &s.keyFile }),
	},
	{
		name: "server-name", value: "NAME", on: onCheck | onRecord, section: serverReach,
		help:    "in the server's certificate, if it is not HOST",
		binding: text(func(s *settings) *string { return &s.serverName }),
	},
	{
		name: "insecure", on: onCheck | onRecord, section: serverReach, toggle: true,
		help:    "do not look at the server's certificate",
		binding: toggle(func(s *settings) *bool { return &s.insecure }),
	},
	{
		name: "tenant", value: "NAME", on: onCheck | onRecord, section: serverReach,
		help:    "X-Tenant of Jaeger, X-Scope-OrgID of Tempo",
		binding: text(func(s *settings) *string { return &s.tenant }),
	},
	{
		name: "header", value: `"NAME: VALUE"`, on: onCheck | onRecord, section: serverReach, many: true,
		help:    "sent with each request (repeatable)",
		binding: headers(func(s *settings) *http.Header { return &s.header }),
	},
	{
		name: "user", value: "NAME", on: onCheck | onRecord, section: serverReach,
		help:    "with the password of --password-file FILE",
		binding: text(func(s *settings) *string { return &s.user }),
	},
	{
		name: "password-file", value: "FILE", on: onCheck | onRecord, section: secrets,
		help:    "the password of --user",
		binding: text(func(s *settings) *string { return &s.passwordFile }),
	},
	{
		name: "token-file", value: "FILE", on: onCheck | onRecord, section: serverReach,
		help:    "with a bearer token",
		binding: text(func(s *settings) *string { return &s.tokenFile }),
	},
	{
		name: "allow-plaintext-token", on: onCheck | onRecord, section: serverReach, toggle: true,
		help:    "send secrets without TLS, not only to this machine",
		binding: toggle(func(s *settings) *bool { return &s.allowPlaintext }),
	},
	{
		name: "password", on: onCheck | onRecord, section: secrets, secret: true,
		binding: text(func(s *settings) *string { return &s.password }),
	},
	{
		name: "token", on: onCheck | onRecord, section: secrets, secret: true,
		binding: text(func(s *settings) *string { return &s.token }),
	},
}
