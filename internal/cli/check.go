package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/report"
)

func runCheck(ctx context.Context, p *Process, s *settings, args []string) (code int, err error) {
	file, err := s.readDockerfile()
	if err != nil {
		return 0, err
	}
	s.asksBuilder = s.causes == command.Auto
	return command.Check(ctx, p.env(s), &command.CheckOptions{
		Dockerfile: file,
		Source:     sourceOf(args), Baseline: s.baseline, Store: s.store, Wanted: s.wanted(), Given: s.identity(),
		Policy: s.judgement(), Lookback: s.lookback, Keep: s.keep, FailOn: s.failOn, Record: s.record, Causes: s.causes, UI: s.uiURL,
		Output: command.OutputOptions{Format: s.format, Files: s.output, Explain: s.explain, Text: p.textOptions(s)},
		Post:   command.PostOptions{Comment: s.comment, CheckRun: s.checkRun, Summary: s.summary, Annotations: s.annotated, Issue: s.issue},
	})
}

// sourceOf is the SOURCE of a check.
func sourceOf(args []string) string {
	if len(args) == 0 {
		return source.LocalBuilder
	}
	return args[0]
}

func checkFaults(_ *Process, s *settings, args []string) (faults []error) {
	if len(args) > 1 {
		faults = append(faults, usageError{masked("one SOURCE expected, and then %q", args[1]), "a folder can hold several builds"})
	}
	if s.explain != "" && s.format != "text" {
		faults = append(faults, usagef("%s: explanations are text, and standard output is to be %s", s.from[&s.explain], s.format))
	}
	from := sourceOf(args)
	addresses := []string{from}
	if s.baseline != "" && !source.IsStore(s.baseline) {
		addresses = append(addresses, s.baseline)
	}
	faults = append(faults, s.addressFaults(addresses...)...)
	return append(faults, s.windowFault(), s.keepFault(&s.keep), s.refuseSharedSecrets(from, s.baseline), s.refuseOverwrite(
		protectedFile{from, "the build to judge"},
		protectedFile{source.StorePath(s.store), "the store"},
		protectedFile{cmp.Or(source.StorePath(s.baseline), s.baseline), "the baseline"},
		protectedFile{cmp.Or(s.config, configPath), "the configuration"},
		protectedFile{s.dockerfile, "the Dockerfile"},
	))
}

// readDockerfile reads the Dockerfile that was given, nil for none.
func (s *settings) readDockerfile() (*command.Dockerfile, error) {
	const most = 1 << 20
	if s.dockerfile == "" {
		return nil, nil
	}
	f, err := fetch.OpenRegular(s.dockerfile)
	if err != nil {
		return nil, usagef("%s: %v", s.from[&s.dockerfile], err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("%s: larger than %d KiB", s.dockerfile, most>>10)
	}
	if err != nil {
		return nil, usagef("%s: %v", s.from[&s.dockerfile], err)
	}
	name, ok := ci.PathInCheckout(".", s.dockerfile)
	if !ok {
		name = filepath.ToSlash(filepath.Clean(s.dockerfile))
	}
	return command.NewDockerfile(name, string(data)), nil
}

// windowFault refuses a window that can never be full enough.
func (s *settings) windowFault() error {
	if t := s.thresholds; t.Window < t.MinHistory && !s.faulty[&s.thresholds.Window] && !s.faulty[&s.thresholds.MinHistory] {
		return usagef("a window of %d builds can never hold the %d that min-history asks for", t.Window, t.MinHistory)
	}
	return nil
}

// A protectedFile is one that no report may be written to.
type protectedFile struct{ path, what string }

// refuseOverwrite refuses reports that would be written over what is read or kept.
func (s *settings) refuseOverwrite(files ...protectedFile) error {
	for _, out := range s.output {
		for _, kept := range files {
			if kept.path != "" && kept.path != "-" && command.IsSameFile(out.Path, kept.path) {
				return usageError{masked("--output: %s is %s", out.Path, kept.what), "name another file for the report"}
			}
		}
	}
	return nil
}

// identity is what flags and the like say about the builds.
func (s *settings) identity() ci.Identity {
	return ci.Identity{
		Pipeline:   s.pipeline,
		Origin:     timeline.Origin{Revision: s.revision, Branch: s.branch, Runner: s.runner},
		BaseBranch: s.baseBranch,
	}
}

// wanted says which of the builds in a source are meant.
func (s *settings) wanted() fetch.Selector {
	return fetch.Selector{Ref: s.build, TraceID: s.traceID, RunID: s.runID, Revision: s.revision}
}

// judgement is how builds are judged.
func (s *settings) judgement() detect.Policy {
	policy := s.policy
	policy.Thresholds = s.thresholds
	return policy
}

// textOptions say how text is written to standard output.
func (p *Process) textOptions(s *settings) report.TextOptions {
	colorful := p.Stdout.Terminal && p.Getenv("NO_COLOR") == "" && p.Getenv("TERM") != "dumb"
	return report.TextOptions{
		Width: p.Stdout.Width,
		Color: s.color == command.Always || s.color == command.Auto && colorful,
	}
}
