package cli

import (
	"context"

	"github.com/buildregress/buildregress/internal/command"
)

func runBacktest(ctx context.Context, p *Process, s *settings, args []string) (code int, err error) {
	return 0, command.Backtest(ctx, p.env(s), &command.BacktestOptions{
		Sources: args, Store: s.store, Given: s.identity(), Builds: s.builds, Inject: s.inject,
		Policy: s.judgement(), Lookback: s.lookback, FailOn: s.failOn,
		JSON: s.format == "json", Text: p.textOptions(s),
	})
}

func backtestFaults(_ *Process, s *settings, args []string) []error {
	return append(s.addressFaults(args...), s.windowFault())
}
