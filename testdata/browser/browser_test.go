// Package browser opens the program's pages in a real Chromium, of the system, and uses them
// as people do: with a pointer, by the keyboard alone, in the dark, on a phone, on paper, and
// where a server forbids all that is alive.
package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var (
	program  string          // buildregress
	chromium context.Context // the browser
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "buildregress-browser-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "buildregress")
	if out, err := exec.Command("go", "build", "-o", program, "../..").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	path, err := installed()
	if err != nil {
		return 0, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(dir, "profile")), chromedp.DisableGPU)
	if os.Getuid() == 0 { // Chromium's sandbox is not for root
		options = append(options, chromedp.NoSandbox)
	}
	allocated, release := chromedp.NewExecAllocator(context.Background(), options...)
	defer release()
	browser, end := chromedp.NewContext(allocated)
	defer end()
	if err := chromedp.Do(browser); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	chromium = browser
	return m.Run(), nil
}

func installed() (path string, err error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium is installed (apt-get install chromium)")
}

// made is a page that the program wrote.
func made(t testing.TB, args ...string) string {
	t.Helper()
	c := exec.Command(program, args...)
	c.Dir = "../builds"
	c.Env = []string{"PATH=" + t.TempDir(), "HOME=" + t.TempDir()}
	var out, told bytes.Buffer
	c.Stdout, c.Stderr = &out, &told
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, &told)
	}
	return out.String()
}

// pages are one of each kind: what the program is asked for, in the folder of recorded builds.
var pages = map[string][]string{
	"check":   {"check", "alpha/dockerbuild/044.dockerbuild", "--branch", "slow", "--baseline", "alpha/dockerbuild", "--min-delta", "30ms", "--fail-on", "never", "--record", "never", "--format", "html"},
	"show":    {"show", "beta/dockerbuild/cold.dockerbuild", "--format", "html"},
	"failed":  {"show", "beta/dockerbuild/failed.dockerbuild", "--format", "html"},
	"compare": {"compare", "alpha/dockerbuild/001.dockerbuild", "alpha/dockerbuild/046.dockerbuild", "--format", "html"},
	"history": {"history", "alpha/dockerbuild", "--min-delta", "30ms", "--format", "html"},
	"story":   {"history", "story/dockerbuild", "--format", "html"},
}

// kept are those that were made.
var kept = struct {
	sync.Mutex
	pages map[string]string
}{pages: map[string]string{}}

// pageOf is the page of that kind; "shop" is a history of made-up builds.
func pageOf(t testing.TB, kind string) string {
	t.Helper()
	kept.Lock()
	defer kept.Unlock()
	if kept.pages[kind] == "" {
		args := pages[kind]
		if kind == "shop" {
			args = []string{"history", buildsFile(t, buildsOf("acme/shop", shop, 300, 4)), "--format", "html"}
		}
		kept.pages[kind] = made(t, args...)
	}
	return kept.pages[kind]
}

var kinds = []string{"check", "show", "failed", "compare", "history", "story", "shop"}

// A tab is one page that is open, and what it said and asked for.
type tab struct {
	context.Context
	close    func()
	t        testing.TB
	mu       sync.Mutex
	said     []string // errors and warnings
	requests []string
	refused  int // requests that a policy did not let out
}

// A look is how a page is looked at.
type look struct {
	width  int64
	scheme string // light or dark
	media  string // print, or ""
}

func (l look) String() string { return fmt.Sprint(l.width, " ", l.scheme, l.media) }

var looks = []look{{390, "light", ""}, {390, "dark", ""}, {1400, "light", ""}, {1400, "dark", ""}}

// open opens a page in a tab.
func open(t testing.TB, address string, l look) *tab {
	t.Helper()
	c, end := chromedp.NewContext(chromium)
	t.Cleanup(end)
	b := &tab{Context: c, close: end, t: t}
	if err := chromedp.Do(c); err != nil {
		t.Fatal(err)
	}
	err := chromedp.Listen(c, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			b.said = append(b.said, string(e.Entry.Level)+": "+e.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			b.said = append(b.said, fmt.Sprintf("console.%s: %d values", e.Type, len(e.Args)))
		case *runtime.EventExceptionThrown:
			b.said = append(b.said, "exception: "+e.ExceptionDetails.Text)
		case *network.EventRequestWillBeSent:
			b.requests = append(b.requests, e.Request.URL)
		case *network.EventLoadingFailed:
			if e.BlockedReason != "" {
				b.refused++
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	call(b, network.Enable, network.EnableParams{})
	b.look(l)
	b.run(chromedp.Navigate(address))
	return b
}

// look looks at the page in another way.
func (b *tab) look(l look) {
	b.t.Helper()
	b.resize(l.width, 900)
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: l.media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}}})
}

func (b *tab) resize(width, height int64) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
}

// call gives the browser a command of its protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], parameters P) R {
	b.t.Helper()
	r, err := chromedp.Call(b, command, parameters)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	c, stop := context.WithTimeout(b, time.Minute)
	defer stop()
	if err := chromedp.Do(c, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// value is what an expression of JavaScript gives.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	c, stop := context.WithTimeout(b, time.Minute)
	defer stop()
	v, err := chromedp.Run(c, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v in %s", err, expression)
	}
	return v
}

// want checks that an expression is true.
func (b *tab) want(expression string) {
	b.t.Helper()
	if !value[bool](b, "!!("+expression+")") {
		b.t.Errorf("not so: %s", expression)
	}
}

// key presses keys where the focus is.
func (b *tab) key(keys string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(keys))
}

// isQuiet checks that the page said nothing and asked for nothing but itself.
func (b *tab) isQuiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.said) > 0 {
		b.t.Errorf("the browser said %q", b.said)
	}
	if len(b.requests) != 1 {
		b.t.Errorf("it asked for %q", b.requests)
	}
}

// file writes a page where a browser opens it as people do.
func file(t testing.TB, page string) (address string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// served is the address of a page that a server gives with a policy.
func served(t testing.TB, page, policy string) (address string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write([]byte(page)) // to a browser that this test started
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// has checks that a text is in another one.
func has(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in\n%.3000s", p, text)
		}
	}
}
