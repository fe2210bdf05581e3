package cli

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/report"
)

// settings are the values of all options. Those that a command does not take have
// their defaults.
type settings struct {
	build, pipeline, branch, baseBranch, revision, runner string
	dockerfile                                            string

	store, baseline string
	lookback        time.Duration
	keep            time.Duration // 0 for ever
	prunedAfter     time.Duration // what prune, which is asked for, keeps
	record, causes  command.When
	asksBuilder     bool // whether it is asked what it is

	thresholds detect.Thresholds
	policy     detect.Policy // what the configuration file says besides
	dismiss    []advice.Dismissal
	failOn     []string
	config     string

	format             report.Format
	printBuilds        bool
	output             []command.OutputFile
	explain            string
	color              command.When
	maskEnv            []string
	verbose            bool
	timeout            time.Duration
	comment, checkRun  command.When
	issue              command.When
	commentSaved       command.When // on a saved result
	reportURL          string
	summary, annotated command.When

	steps    string
	since    command.Since
	allSteps bool

	builds int
	inject float64

	traceID, runID, uiURL     string
	services                  []string
	tags                      map[string]string
	caFile, certFile, keyFile string
	serverName                string
	anyBranch                 bool
	anyTrace                  bool
	jobs                      string
	insecure                  bool
	header                    http.Header
	tenant, user              string
	password, passwordFile    string
	token, tokenFile          string
	allowPlaintext            bool

	// servers says how a server of traces is reached. Files that hold secrets are read
	// once, as they may be pipes.
	servers func() (source.TracesOptions, error)

	// from says where the value of a field was said, by the field's address:
	// "--window", "BUILDREGRESS_WINDOW", "FILE:3: window"; "" for a default.
	from map[any]string
	// faulty are the fields, by their addresses, of which something wrong was said.
	faulty map[any]bool
}

// A taker is a set of commands that take an option.
type taker uint

const (
	onCheck taker = 1 << iota
	onRecord
	onBacktest
	onReport
	onShow
	onHistory
	onCompare
	onPrune

	onAsking = onCheck | onRecord | onShow | onHistory | onCompare // those that may ask servers
)

// An option is a flag, a variable of the environment, perhaps a key of the
// configuration file, and an input of the action.
type option struct {
	name     string
	value    string // what stands for its value in the help, "" for the default
	fallback string // its value if nothing is said
	on       taker
	section  *section
	help     string // lines of the help, in lower case; the first is the action's description
	input    string // the action's description, where it is another
	noInput  bool   // the action has no input for it
	many     bool   // it may be given several times
	toggle   bool   // it takes no value
	secret   bool   // it is no flag, which others could see: the environment alone says it
	inFile   bool   // it may stand in the configuration file
	binding
}

// A section is a part of the help.
type section struct {
	title   string
	noInput bool // the action has no inputs for its options
}

var (
	theBuild     = &section{title: "The build"}
	theHistory   = &section{title: "The history"}
	theJudgement = &section{title: "The judgement"}
	theReport    = &section{title: "The report"}
	onGitHub     = &section{title: "On GitHub, each of them auto, always or never"}
	theCourse    = &section{title: "What is told"}
	theReplay    = &section{title: "The replay"}
	serverBuild  = &section{title: "The build, and its history", noInput: true}
	serverReach  = &section{title: "To reach a server", noInput: true}
	secrets      = &section{noInput: true}
)

// optionsOf are those that a command takes.
func optionsOf(c taker) (taken []option) {
	for _, o := range options {
		if o.on&c != 0 {
			taken = append(taken, o)
		}
	}
	return taken
}

// variable is the name of an option in the environment.
func variable(option string) string {
	return "BUILDREGRESS_" + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

// isOption tells whether a test holds for an option of that name.
func isOption(name string, test func(option) bool) bool {
	return slices.ContainsFunc(options, func(o option) bool { return o.name == name && test(o) })
}

func formats(names ...string) (list []report.Format) {
	for _, name := range names {
		list = append(list, report.Format(name))
	}
	return list
}
