package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/internal/ci"
)

// hideVariables makes known what the environment holds that may be shown nowhere. It comes
// before anything else is read: an error could show it.
func (p *Process) hideVariables() {
	for _, name := range []string{variable("token"), variable("password"), "CI_JOB_TOKEN"} {
		redact.Own(p.Getenv(name))
	}
	for _, name := range slices.Concat(ci.GitHubTokens, ci.GitLabTokens) {
		redact.Own(p.Getenv(name))
	}
	for line := range strings.Lines(p.Getenv(variable("header"))) {
		_, value, _ := strings.Cut(line, ":")
		hideHeader(value)
	}
}

// hideGiven makes known what the settings say besides: the variables of --mask-env,
// headers, and what is in the files of secrets. Files that may be read once alone are
// left to who needs them.
func (p *Process) hideGiven(s *settings) {
	for _, name := range s.maskEnv {
		value := p.Getenv(name)
		if value == "" {
			p.console.Debugf("%s: %s is not set", s.from[&s.maskEnv], name)
		}
		if len(redact.Own(value)) > 0 {
			p.console.Warn(fmt.Sprintf("%s: the value of %s is too short to be cut out: it stands in any text", s.from[&s.maskEnv], name))
		}
	}
	for _, values := range s.header {
		for _, value := range values {
			hideHeader(value)
		}
	}
	for _, file := range []*string{&s.tokenFile, &s.passwordFile} {
		if info, err := os.Stat(*file); err == nil && info.Mode().IsRegular() {
			_, _ = s.secret("", file) // which hides it; what is wrong with it is told where it is used
		}
	}
}

// hideHeader makes the value of a header known, where it is long enough not to be a
// setting.
func hideHeader(value string) {
	const least = 8
	for _, part := range redact.HeaderParts(strings.TrimSpace(value)) {
		if len(part) >= least {
			redact.Own(part)
		}
	}
}
