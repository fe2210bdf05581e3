package main

import (
	"fmt"
	"sync"
	"time"
)

// A progress tells people at a terminal how far a long piece of work is. Where
// standard error is none, it says nothing. It may be used by several goroutines.
type progress struct {
	w     *world
	what  string
	total int

	mu    sync.Mutex
	made  int
	shown time.Time
}

// progressEvery is how often the line is written.
const progressEvery = 100 * time.Millisecond

// progress begins a piece of work of so many parts.
func (w *world) progress(what string, total int) *progress {
	return &progress{w: w, what: printable(what), total: total}
}

// add tells that n more parts are done.
func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made += n
	if now := time.Now(); p.w.errTerminal && now.Sub(p.shown) >= progressEvery {
		p.shown = now
		fmt.Fprintf(p.w.stderr, "\r%.60s: %d of %d\x1b[K", p.what, p.made, p.total)
	}
}

// done takes the line away.
func (p *progress) done() {
	if p.w.errTerminal && !p.shown.IsZero() {
		fmt.Fprint(p.w.stderr, "\r\x1b[K")
	}
}
