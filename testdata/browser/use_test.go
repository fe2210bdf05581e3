package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// pointer moves the pointer to a share of the width of the first element of a selector, and
// presses or releases it there.
func (b *tab) pointer(what input.DispatchMouseEventType, selector string, share float64) {
	b.t.Helper()
	at := value[[]float64](b, `(() => {
		const e = document.querySelector(`+"`"+selector+"`"+`);
		e.scrollIntoView({block: 'center'});
		const r = e.getBoundingClientRect();
		return [r.left, r.top, r.width, r.height];
	})()`)
	buttons := chromedp.ButtonLeft
	if what == input.DispatchMouseEventTypeMouseMoved {
		buttons = chromedp.ButtonNone
	}
	b.run(chromedp.MouseEvent(what, at[0]+at[2]*share, at[1]+at[3]/2, buttons, func(p *input.DispatchMouseEventParams) { p.ClickCount = 1 }))
}

const (
	moved    = input.DispatchMouseEventTypeMouseMoved
	pressed  = input.DispatchMouseEventTypeMousePressed
	released = input.DispatchMouseEventTypeMouseReleased
)

// panel is what the panel says.
func (b *tab) panel() string {
	b.t.Helper()
	return value[string](b, `document.querySelector('aside').innerText`)
}

// says checks that the panel says something.
func (b *tab) says(parts ...string) {
	b.t.Helper()
	has(b.t, b.panel(), parts...)
}

// slash presses the / key, as a keyboard does: the letter does not follow where the page took
// the key for itself.
func (b *tab) slash() {
	b.t.Helper()
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Code: "Slash", Text: "/"})
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: "/", Code: "Slash"})
}

// The / key leads to the filter; it hides steps that do not have its words, and says how many
// are left. Escape takes it back.
func TestFilter(t *testing.T) {
	for _, kind := range []string{"check", "show", "compare", "shop"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := open(t, file(t, pageOf(t, kind)), looks[2])
			const shown = `[...document.querySelectorAll('table.steps > tbody > tr:not(.stage)')].filter(r => r.getBoundingClientRect().height > 0)`
			all := value[int](b, shown+".length")
			b.slash()
			b.key("run")
			some := value[int](b, shown+".length")
			if some == 0 || some == all {
				t.Errorf("%d of %d steps", some, all)
			}
			b.want(shown + `.every(r => r.closest('table').querySelector('.stage') || r.innerText.toLowerCase().includes('run'))`)
			b.want(`document.querySelector('[role=status].dim').textContent.startsWith('` + strings.TrimSpace(value[string](b, shown+".length + ' of '")) + `')`)
			b.want(`location.hash === '#q=run'`)
			b.key(" nowhere")
			b.want(shown + ".length === 0")
			b.key(kb.Escape)
			b.want(shown + ".length === " + value[string](b, `String(`+shown+`.length)`))
			if again := value[int](b, shown+".length"); again != all {
				t.Errorf("%d steps after Escape, want %d", again, all)
			}
			b.want(`location.hash === ''`)
			b.isQuiet()
		})
	}
}

// From build to build by the arrows alone: the panel has each with its values, a screen
// reader is told, and the address leads back to it.
func TestArrows(t *testing.T) {
	t.Parallel()
	page := file(t, pageOf(t, "shop"))
	b := open(t, page, looks[2])
	b.key(kb.ArrowLeft)
	b.says("build 300 of 300", "usually", "RUN npm test", "steps ran")
	b.want(`document.querySelector('aside [aria-live=polite]').innerText.includes('300 of 300')`)
	b.key(kb.ArrowRight)
	b.says("build 300 of 300")
	for range 3 {
		b.key(kb.ArrowLeft)
	}
	b.says("build 297 of 300")
	b.want(`document.querySelectorAll('.cursor[visibility=visible]').length === document.querySelectorAll('svg.track').length`)
	b.want(`/^#at=2026-/.test(location.hash)`)
	hash := value[string](b, "location.hash")
	want := b.panel()

	other := open(t, page+hash, looks[2])
	if got := other.panel(); got != want {
		t.Errorf("%s leads to %q, want %q", hash, got, want)
	}
	b.key(kb.Escape)
	b.want(`location.hash === '' && document.querySelector('aside').classList.contains('empty')`)
	b.want(`document.querySelectorAll('.cursor[visibility=visible]').length === 0`)
	b.isQuiet()
}

// The panel has the build under the pointer; a click keeps it there, so that its text can be
// selected and copied.
func TestPanel(t *testing.T) {
	t.Parallel()
	b := open(t, file(t, pageOf(t, "shop")), looks[2])
	chart := "#p0t1"
	b.pointer(moved, chart, 0.5)
	b.says("build 151 of 300")
	b.want(`document.querySelector('aside h2 a').href.startsWith('https://ci.example/shop/runs/')`)
	b.pointer(moved, chart, 0.001)
	b.says("build 1 of 300")
	b.pointer(moved, chart, 0.25)
	b.pointer(pressed, chart, 0.25)
	b.pointer(released, chart, 0.25)
	b.says("build 76 of 300")
	b.pointer(moved, chart, 0.75)
	b.says("build 76 of 300")
	b.want(`getComputedStyle(document.querySelector('aside')).userSelect !== 'none'`)
	b.run(chromedp.Evaluate[chromedp.Void](`navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); }`))
	b.run(chromedp.Click(chromedp.CSS("aside button:nth-of-type(3)")))
	b.want(`window.copied.includes('build 76 of 300') && window.copied.includes('RUN npm')`)
	b.want(`document.querySelector('aside').innerText.includes('Copied')`)
	b.run(chromedp.Click(chromedp.CSS("aside button:nth-of-type(1)")))
	b.says("build 75 of 300")
	b.isQuiet()
}

// A range that is drawn on one chart holds for all of them, for the table of builds and for
// the arrows; it is in the address, and sliders do the same by the keyboard.
func TestBrush(t *testing.T) {
	t.Parallel()
	page := file(t, pageOf(t, "shop"))
	b := open(t, page, looks[2])
	chart := "#p0t2"
	b.pointer(moved, chart, 0.5)
	b.pointer(pressed, chart, 0.5)
	b.pointer(moved, chart, 0.6)
	b.want(`[...document.querySelectorAll('.brush')].every(r => r.getAttribute('height') > 0)`)
	b.pointer(moved, chart, 0.7)
	b.pointer(released, chart, 0.7)
	b.want(`[...document.querySelectorAll('svg.plot')].every(p => p.getAttribute('viewBox').startsWith('150 0 61 '))`)
	b.want(`[...document.querySelectorAll('.brush')].every(r => r.getAttribute('height') == 0)`)
	b.want(`document.querySelectorAll('path.each[visibility=visible]').length === document.querySelectorAll('svg.track').length`)
	b.want(`/^#from=2026-02-11T20%3A00%3A00&to=2026-02-26T20%3A00%3A00$/.test(location.hash)`)
	b.want(`document.querySelectorAll('section > details:not(.twin) tbody tr:not([hidden])').length === 61`)
	b.key(kb.ArrowRight)
	b.says("build 152 of 300")
	for range 3 {
		b.key(kb.ArrowLeft)
	}
	b.says("build 151 of 300")

	other := open(t, page+value[string](b, "location.hash"), looks[0])
	other.want(`[...document.querySelectorAll('svg.plot')].every(p => p.getAttribute('viewBox').startsWith('150 0 61 '))`)
	other.says("build 151 of 300")

	b.run(chromedp.Click(chromedp.CSS(".builds button")))
	b.want(`[...document.querySelectorAll('svg.plot')].every(p => p.getAttribute('viewBox').startsWith('0 0 300 '))`)
	b.run(chromedp.Focus(chromedp.CSS(".builds input")))
	for range 3 {
		b.key(kb.ArrowRight)
	}
	b.want(`[...document.querySelectorAll('svg.plot')].every(p => p.getAttribute('viewBox').startsWith('3 0 297 '))`)
	b.want(`document.activeElement.getAttribute('aria-valuetext').includes('2026-01-06')`)
	b.isQuiet()
}

// Where there are no builds to go through, the panel has the row under the pointer, and
// arrows go from row to row.
func TestRows(t *testing.T) {
	t.Parallel()
	b := open(t, file(t, pageOf(t, "show")), looks[2])
	b.pointer(moved, "table.steps > tbody > tr:nth-child(3)", 0.2)
	b.want(`document.querySelector('aside h2').innerText === document.querySelector('table.steps tbody tr:nth-child(3) td').innerText.trim()`)
	b.key(kb.ArrowRight)
	b.want(`document.querySelector('aside h2').innerText === document.querySelector('table.steps tbody tr:nth-child(4) td').innerText.trim()`)
	b.says("from ", " to ")
	b.isQuiet()

	// Of a check, with what it took before.
	b = open(t, file(t, pageOf(t, "check")), looks[2])
	b.pointer(moved, "table.steps > tbody > tr:nth-child(11)", 0.2)
	b.says("integration", "slower", "this one", "1.9 s")
	b.want(`document.querySelectorAll('aside tbody tr').length === 31`)
	b.isQuiet()
}

// All that can be used is reached by Tab, and each place shows that it is.
func TestTab(t *testing.T) {
	t.Parallel()
	b := open(t, file(t, pageOf(t, "history")), looks[2])
	want := value[int](b, `[...document.querySelectorAll('a, button, input, summary, [tabindex]')].filter(e => e.checkVisibility()).length`)
	seen := map[string]bool{}
	for range want {
		b.key(kb.Tab)
		seen[value[string](b, `(() => { const e = document.activeElement; return e === document.body ? '' : [...document.querySelectorAll('*')].indexOf(e) + ' ' + (getComputedStyle(e).outlineStyle !== 'none') })()`)] = true
	}
	if len(seen) != want {
		t.Errorf("%d places by Tab, want %d", len(seen), want)
	}
	for place := range seen {
		if !strings.HasSuffix(place, "true") {
			t.Errorf("place %q does not show that it has the focus", place)
		}
	}
}

// On paper there are the page and its charts, without what cannot be used there. Nothing
// moves by itself, there or elsewhere.
func TestPaper(t *testing.T) {
	t.Parallel()
	b := open(t, file(t, pageOf(t, "shop")), look{800, "light", "print"})
	b.want(`[...document.querySelectorAll('aside, .bar-of-controls, .builds')].every(e => e.getClientRects().length === 0)`)
	b.want(`[...document.querySelectorAll('svg.track')].every(e => e.getBoundingClientRect().width > 100)`)
	b.want(`document.documentElement.scrollWidth <= innerWidth`)
	b.want(`[...document.querySelectorAll('*')].every(e => { const s = getComputedStyle(e); return s.animationName === 'none' && s.transitionDuration === '0s' && s.scrollBehavior === 'auto' })`)
}

// Of several pipelines each has its own builds; the address says which.
func TestSeveralPipelines(t *testing.T) {
	t.Parallel()
	list := append(buildsOf("acme/shop", shop, 120, 4), buildsOf("acme/cart", shop[1:4], 60, 2)...)
	page := file(t, made(t, "history", buildsFile(t, list), "--all", "--format", "html"))
	b := open(t, page, looks[2])
	b.want(`document.querySelectorAll('section').length === 3`)
	b.want(`[...document.querySelectorAll('section:first-of-type a')].every(a => document.querySelector(a.getAttribute('href')))`)
	b.pointer(moved, "#p1 svg.track", 0.5)
	b.pointer(pressed, "#p1 svg.track", 0.5)
	b.pointer(released, "#p1 svg.track", 0.5)
	b.want(`location.hash.startsWith('#p=' + encodeURIComponent(document.querySelector('#p1 h1 code').innerText) + '&at=')`)
	want := b.panel()
	other := open(t, page+value[string](b, "location.hash"), looks[2])
	if got := other.panel(); got != want {
		t.Errorf("it leads to %q, want %q", got, want)
	}
	b.want(`document.querySelectorAll('#p0 .cursor[visibility=visible]').length === 0`)
	b.pointer(moved, "#p0 svg.track", 0.5)
	b.isQuiet()
}
