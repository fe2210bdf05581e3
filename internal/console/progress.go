package console

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progressEvery is how often the line is written.
const progressEvery = 100 * time.Millisecond

// A Progress tells people at a terminal how far a long piece of work is. Elsewhere it
// says nothing. Several goroutines may use one.
type Progress struct{ bar *progressbar.ProgressBar }

// Progress begins a piece of work of total parts.
func (c *Console) Progress(what string, total int) *Progress {
	return &Progress{progressbar.NewOptions(total,
		progressbar.OptionSetWriter(c.progressOutput()),
		progressbar.OptionSetDescription(brief(what)),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionThrottle(progressEvery),
		progressbar.OptionClearOnFinish(),
	)}
}

// Add tells that n more parts are done.
func (p *Progress) Add(n int) { _ = p.bar.Add(n) }

// Done takes the line away.
func (p *Progress) Done() { _ = p.bar.Exit(); _ = p.bar.Clear() }

// A Spinner tells people at a terminal what is being waited for.
type Spinner struct {
	console *Console
	bar     *progressbar.ProgressBar
}

// Spinner returns one that shows nothing yet.
func (c *Console) Spinner() *Spinner { return &Spinner{console: c} }

// Show says what is being waited for, "" for nothing more. With --verbose it is a line
// like any other.
func (s *Spinner) Show(text string) {
	if s.console.Verbose && text != "" {
		s.console.Debugf("%s", text)
	}
	if text == "" {
		if s.bar != nil {
			_ = s.bar.Finish() // which clears the line as well
			s.bar = nil
		}
		return
	}
	if s.bar == nil {
		s.bar = progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(s.console.progressOutput()),
			progressbar.OptionThrottle(progressEvery),
			progressbar.OptionSpinnerCustom([]string{" "}),
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSetSpinnerChangeInterval(0), // nothing writes by itself
			progressbar.OptionClearOnFinish(),
		)
	}
	s.bar.Describe(brief(text))
}

// progressOutput is where progress is shown.
func (c *Console) progressOutput() io.Writer {
	if !c.Terminal || c.Verbose {
		return io.Discard
	}
	return c.Writer
}

// brief is text that leaves room for the rest of the line.
func brief(text string) string {
	const most = 60
	short := []rune(Printable(text))
	return string(short[:min(len(short), most)])
}
