package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/file"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/fetch/traces"
)

// defaultPipeline is that of builds of which nothing tells it.
const defaultPipeline = "default"

// A subject is a build that a command is about.
type subject struct {
	detect.Build
	made      bool // just now, as far as it says
	unstarted bool // it does not say when it began
}

// An origin is what a SOURCE or a baseline names: it has builds to judge, and, if
// it is a server, those to judge them against as well.
type origin struct {
	fetch.Source
	name string              // as it was given
	past fetch.HistorySource // nil if it is no history by itself
	ui   traces.UI           // where people see its builds, "" if that is not known
}

// A server is a kind of origin that is asked for builds, by the beginning of its
// URL.
type server struct {
	scheme string // with what ends it: "buildx:", "jaeger://"
	open   func(ctx context.Context, w *world, s settings, url string, shelf fetch.Cache) (origin, error)
}

// servers are those that are known.
var servers = []server{
	{"buildx:", openBuildx},
	{"github://", openGithub},
	{"jaeger://", openJaeger},
	{"jaegers://", openJaeger},
	{"github-steps://", openGithubSteps},
	{"jaeger+http://", openJaegerHTTP},
	{"jaeger+https://", openJaegerHTTP},
	{"tempo+http://", openTempo},
	{"tempo+https://", openTempo},
}

// openOrigin opens what a SOURCE names. What it uses stays open until the process
// ends.
func openOrigin(ctx context.Context, w *world, s settings, url string, shelf fetch.Cache) (origin, error) {
	for _, known := range servers {
		if strings.HasPrefix(url, known.scheme) {
			return known.open(ctx, w, s, url, shelf)
		}
	}
	if store.Is(url) {
		return origin{}, usageError{url + " is a store, not builds to read", "give it with --store or --baseline"}
	}
	if scheme, _, isURL := strings.Cut(url, "://"); isURL {
		return origin{}, usageError{fmt.Sprintf("%s: no source is known as %s://", url, scheme), "give a file, a folder, github://OWNER/NAME, or - for standard input"}
	}
	return origin{Source: files{w, url}, name: url}, nil
}

// files are those at a path.
type files struct {
	w    *world
	path string
}

// Builds reads the builds at the path. All of them are wanted: who asks for one
// names it by what the CI system and the checkout add as well.
func (f files) Builds(ctx context.Context, _ fetch.Selector) ([]detect.Build, []error, error) {
	return file.Open(ctx, f.path, file.Options{Stdin: f.w.stdin})
}

// readBuilds reads the builds of an origin, each once, and returns what was wrong
// with the rest as warnings, which it says.
func readBuilds(ctx context.Context, w *world, from origin, wanted fetch.Selector) (builds []detect.Build, warnings []detect.Note, err error) {
	builds, problems, err := from.Builds(ctx, wanted)
	builds, clashes := fetch.Distinct(builds)
	warnings = append(inShort(clashes, "more builds share an id"), inShort(problems, "more files could not be read")...)
	for _, p := range slices.Concat(problems, clashes) {
		w.say("warning", p.Error())
	}
	return builds, warnings, err
}

// inShort are the first few problems as notes, and how many more there are, with
// the words for those.
func inShort(problems []error, words string) (notes []detect.Note) {
	const most = 3
	for _, p := range problems[:min(len(problems), most)] {
		first, rest, several := strings.Cut(p.Error(), "\n")
		if several {
			first += fmt.Sprintf(" (and %d more)", strings.Count(rest, "\n")+1)
		}
		notes = append(notes, detect.Note{Kind: detect.KindUnread, Text: printable(first)})
	}
	if more := len(problems) - most; more > 0 {
		notes = append(notes, detect.Note{Kind: detect.KindUnread, Text: fmt.Sprintf("… and %d %s", more, words)})
	}
	return notes
}

// readSubjects reads the builds of an origin, and keeps those that are wanted.
// They are yet to be completed by n, which has seen them all.
func readSubjects(ctx context.Context, w *world, n *namer, from origin, wanted fetch.Selector) (subjects []subject, warnings []detect.Note, err error) {
	builds, warnings, err := readBuilds(ctx, w, from, wanted)
	if err != nil {
		return nil, warnings, err
	}
	n.see(builds)
	var names []string
	for i := range builds {
		b := &builds[i]
		names = append(names, b.ID)
		if (wanted.Ref == "" || isBuild(b, wanted.Ref)) && (wanted.TraceID == "" || b.Trace == wanted.TraceID) {
			subjects = append(subjects, subject{*b, justMade(b, w.now), b.Start.IsZero()})
		}
	}
	if len(subjects) == 0 {
		return nil, warnings, fmt.Errorf("%s: no build %q in it, but %s", from.name, cmp.Or(wanted.Ref, wanted.TraceID), strings.Join(names[:min(len(names), 10)], ", "))
	}
	return subjects, warnings, nil
}

// isBuild tells whether ref means b: its id, the last part of it, its pipeline
// or the target at the end of that.
func isBuild(b *detect.Build, ref string) bool {
	return b.ID == ref || strings.HasSuffix(b.ID, "/"+ref) ||
		b.Pipeline == ref || strings.HasSuffix(b.Pipeline, " "+ref)
}

// settle completes the builds, and gives them what a history cannot do without: a
// pipeline, and a start. Builds that say none are taken to have begun one after
// the other, until now.
func settle(subjects []subject, n *namer) {
	for i := range subjects {
		b := &subjects[i].Build
		n.complete(b)
		if b.Pipeline == "" {
			b.Pipeline = defaultPipeline
		}
		if b.Start.IsZero() {
			b.Start = n.now.Add(time.Duration(i-len(subjects)+1) * time.Microsecond)
		}
	}
	slices.SortStableFunc(subjects, func(a, b subject) int { return a.Start.Compare(b.Start) })
}

// storeOf is the store that an option names, or the usual one.
func storeOf(s settings, option string) (url string, err error) {
	if url = s.text(option); store.PathOf(url) == "" || !store.Is(url) {
		return "", usagef("%s: %q names no store: it is written sqlite:PATH", s[option].from, url)
	}
	return url, nil
}

// readBaseline reads the builds that were given as a baseline. Of flags, only
// the pipeline holds for them; the others are those of the build to be judged.
// Builds that say no pipeline were given to compare with: they are of any.
func readBaseline(ctx context.Context, w *world, from origin, pipeline string) (*fetch.Memory, []detect.Note, error) {
	builds, warnings, err := readBuilds(ctx, w, from, fetch.Selector{})
	memory := new(fetch.Memory)
	for i := range builds {
		b := &builds[i]
		override(b, identity{pipeline: pipeline})
		inFull(b)
		if b.Start.IsZero() { // in the order of the file, and before any build to be judged
			b.Start = w.now.Add(-time.Hour + time.Duration(i)*time.Microsecond)
		}
		memory.Add(*b)
	}
	return memory, warnings, err
}

// wantedBy is what the settings say of the builds to judge.
func wantedBy(s settings) (w fetch.Selector, err error) {
	w = fetch.Selector{Ref: s.text("build"), TraceID: strings.ToLower(s.text("trace-id")), RunID: s.text("run-id"), Revision: s.text("revision")}
	if id := w.TraceID; id != "" {
		if len(id) > 32 || strings.Trim(id, "0123456789abcdef") != "" {
			return w, s.wrong("trace-id", "the id of a trace, 32 digits of hex")
		}
		w.TraceID = strings.Repeat("0", 32-len(id)) + id // as some tools leave them out
	}
	return w, nil
}
