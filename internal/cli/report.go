package cli

import (
	"context"
	"net/url"

	"github.com/buildregress/buildregress/internal/command"
)

func runReport(ctx context.Context, p *Process, s *settings, args []string) (code int, err error) {
	return 0, command.Report(ctx, p.env(s), &command.ReportOptions{
		Result: args[0], Stdin: p.Stdin,
		Output: s.outputOptions(p),
		Post: command.PostOptions{
			Comment: s.commentSaved, CheckRun: command.Never, Issue: command.Never, Page: s.reportURL,
		},
	})
}

func reportFaults(_ *Process, s *settings, args []string) []error {
	if len(args) == 0 {
		return []error{usageError{"no RESULT given", "give a file that buildregress check --output json=FILE wrote, or - for standard input"}}
	}
	if u, err := url.Parse(s.reportURL); s.reportURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return []error{usageError{masked("%s: %q is no address of the web", s.from[&s.reportURL], s.reportURL), "it begins with https://"}}
	}
	return append(surplus(args[1:]), s.refuseOverwrite(protectedFile{args[0], "the result to read"}))
}
