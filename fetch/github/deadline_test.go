package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

// A timed context is one whose time is over when over is closed.
type timed struct {
	context.Context
	over chan struct{}
}

func (c timed) Done() <-chan struct{} { return c.over }

func (c timed) Err() error {
	select {
	case <-c.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// A countdown is a cache that closes over when it was given so many things.
type countdown struct {
	memoryCache
	left atomic.Int32
	over chan struct{}
}

func (c *countdown) Put(ctx context.Context, origin, id string, list []timeline.Build) error {
	if c.left.Add(-1) == 0 {
		defer close(c.over)
	}
	return c.memoryCache.Put(ctx, origin, id, list)
}

// When the time is up, there is a smaller history and no error; the caller's own
// end is one.
func TestSlowServer(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 20)
	r := OpenRecords(options(t, s, pull(t, s).GetID()))
	q := query(t, r)
	over := make(chan struct{})
	r.limitHistory = func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(timed{ctx, over})
	}
	kept := &countdown{over: over}
	kept.left.Store(5)
	r.Cache = kept
	var n atomic.Int32
	s.BlobFault = func(w http.ResponseWriter, r *http.Request) bool {
		if n.Add(1) <= 5 {
			return false
		}
		<-r.Context().Done()
		return true
	}
	h, err := r.History(t.Context(), q)
	if err != nil || len(h.Base) != 5 || !strings.Contains(fmt.Sprint(h.Notes), "the time for it was over (15 artifacts not read)") {
		t.Fatalf("%v, %+v", err, h)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := r.History(ended, q); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Some of the time is left for the judgement.
func TestReserve(t *testing.T) {
	r := OpenRecords(Options{Reserve: time.Minute})
	outer, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	inner, cancel := r.limitHistory(outer)
	defer cancel()
	end, _ := outer.Deadline()
	if early, ends := inner.Deadline(); !ends || end.Sub(early) != time.Minute {
		t.Errorf("it ends at %v, %v", early, ends)
	}
}

// A download that never ends is left out, and the others are had.
func TestStalledDownload(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 10)
	r := OpenRecords(options(t, s, pull(t, s).GetID()))
	q := query(t, r)
	over := make(chan struct{})
	r.limitDownload = func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(timed{ctx, over})
	}
	others := &countdown{over: over}
	others.left.Store(9)
	r.Cache = others
	stalled := fmt.Sprint("/", s.Artifacts[3].GetID())
	s.BlobFault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != stalled {
			return false
		}
		w.Write([]byte("\x1f\x8b"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	h, err := r.History(t.Context(), q)
	if err != nil || len(h.Base) != 9 || !strings.Contains(fmt.Sprint(h.Notes), "1 could not be had (not there after 30s)") {
		t.Errorf("%v, %+v", err, h)
	}
}
