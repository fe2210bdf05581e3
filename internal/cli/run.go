// Package cli is the command line: one table of options from which flags, variables of
// the environment, keys of the configuration file, the help and the action's inputs
// follow; what they come to as typed options; hints; and exit codes.
package cli

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
)

// A Process is all that surrounds a run of the program, but for files.
type Process struct {
	Args    []string // without the program's name
	Getenv  func(string) string
	Environ func() []string // all of the environment, "NAME=value"; nil if there is none
	Stdin   io.Reader
	Stdout  console.Output
	Stderr  console.Output
	Clock   func() time.Time
	// Sleep waits by that clock, or until ctx ends, which is its error; nil does so by
	// the system's.
	Sleep func(ctx context.Context, d time.Duration) error

	now     time.Time // when the program began
	console *console.Console
	github  func() (*source.GitHub, error)
}

// Run is the whole program. It returns the exit code.
//
// Note: no signal is caught, except while a command runs that has to end as well. An
// interrupt ends the process at once, as SQLite rolls back what it leaves unfinished,
// and reports are renamed into place.
func Run(ctx context.Context, p Process) int {
	p.now = p.Clock()
	if p.Sleep == nil {
		p.Sleep = fetch.Sleep
	}
	p.console = &console.Console{Output: p.Stderr}
	p.hideVariables()
	p.github = sync.OnceValues(p.connectGitHub)
	if p.Environ == nil {
		p.Environ = func() []string { return nil }
	}
	var code int
	err := command.RecoverPanic(func() (err error) {
		code, err = dispatch(ctx, &p)
		return err
	})
	if err == nil {
		return code
	}
	p.tell(err)
	if bug := new(command.PanicError); errors.As(err, &bug) {
		for line := range strings.Lines(bug.Trace) {
			p.console.Debugf("%s", line)
		}
	}
	if errors.As(err, new(usageError)) || errors.As(err, new(*source.AddressError)) {
		return command.ExitUsage
	}
	return command.ExitTrouble
}

// connectGitHub reaches GitHub as the environment says.
func (p *Process) connectGitHub() (*source.GitHub, error) {
	return source.NewGitHub(p.Getenv("GITHUB_API_URL"), ci.GitHubToken(p.Getenv), ci.TokenNames(), p.Clock)
}

// gitlab says how GitLab is reached, as the environment says.
func (p *Process) gitlab() source.GitLabOptions {
	token, isJobs := ci.GitLabToken(p.Getenv)
	return source.GitLabOptions{API: ci.GitLabAPI(p.Getenv), Token: token, JobToken: isJobs, Run: ci.GitLabRun(p.Getenv)}
}

// env is what a command is surrounded by.
func (p *Process) env(s *settings) *command.Env {
	return &command.Env{
		Stdout: p.Stdout, Console: p.console, Variables: p.Getenv, Now: p.now, Clock: p.Clock, Sleep: p.Sleep,
		Open: p.opener(s), GitHub: p.github,
	}
}
