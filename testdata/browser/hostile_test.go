package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What builds are called is text, on the page and in what its script makes of it.
func TestHostileNames(t *testing.T) {
	const script = `</script></title></style><script>window.ran=1</script><img src=x onerror="window.ran=2">`
	for i, name := range []string{script, `"><svg onload=window.ran=3>' onmouseover='window.ran=4' x='`, `<!--<script>\u003c/script>${window.ran=5}`} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			list := buildsOf("acme/shop", []part{{stage: "s", text: "RUN " + name, levels: map[int]float64{0: 10, 30: 20}}, {stage: name, text: "RUN b", levels: map[int]float64{0: 5}}}, 60, 4)
			for k := range list {
				list[k].Pipeline = name
				list[k].Origin = timeline.Origin{Branch: "main", Revision: name, URL: "javascript:window.ran=6"}
			}
			builds := buildsFile(t, list)
			for _, args := range [][]string{{"history"}, {"show"}, {"check", "--branch", "main", "--fail-on", "never", "--record", "never", "--baseline", builds}} {
				b := open(t, file(t, made(t, append(args, "--format", "html", builds)...)), looks[2])
				b.key(kb.ArrowRight)
				b.key(kb.ArrowLeft)
				b.says("RUN ")
				b.pointer(moved, "table.steps > tbody > tr:last-child > td", 0.5)
				b.want(`window.ran === undefined`)
				b.want(`[...document.links].every(a => /^(https?:|file:)/.test(a.protocol))`)
				b.want(`document.querySelectorAll('img, iframe, object, script:not([type])').length === 1`)
				if name == script && args[0] == "history" {
					b.says("window.ran=1</script>")
					b.want(`document.querySelector('td.name').innerText.includes('<script>window.ran=1</script>')`)
				}
				b.isQuiet()
			}
		})
	}
}

// A history of one build, of builds without a time, and of steps that never ran is a page.
func TestLittleHistory(t *testing.T) {
	for _, n := range []int{1, 2, 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			list := buildsOf("acme/shop", shop, n, 4)
			b := open(t, file(t, made(t, "history", "--format", "html", buildsFile(t, list))), looks[0])
			b.key(kb.ArrowLeft)
			b.says(fmt.Sprintf("build %d of %d", n, n))
			b.key(kb.ArrowLeft)
			b.says(fmt.Sprintf("build %d of %d", max(n-1, 1), n))
			b.want(`document.documentElement.scrollWidth <= innerWidth`)
			b.isQuiet()
		})
	}
}

// On a phone a tap shows a build, at the lower edge, and it can be closed.
func TestTap(t *testing.T) {
	t.Parallel()
	b := open(t, file(t, pageOf(t, "shop")), looks[0])
	b.want(`document.querySelector('aside').getClientRects().length === 0`)
	at := value[[]float64](b, `(() => { const e = document.querySelector('#p0t0'); e.scrollIntoView({block: 'start'}); const r = e.getBoundingClientRect(); return [r.left + r.width * 0.5, r.top + 60]; })()`)
	b.run(chromedp.TapXY(at[0], at[1]))
	b.says("build 151 of 300")
	b.want(`document.querySelector('aside').getBoundingClientRect().bottom <= innerHeight && document.querySelector('aside').getBoundingClientRect().height <= innerHeight * 0.46`)
	b.want(`document.documentElement.scrollWidth <= innerWidth`)
	b.run(chromedp.Click(chromedp.CSS("aside button:nth-of-type(4)")))
	b.want(`document.querySelector('aside').getClientRects().length === 0`)
	b.isQuiet()
}
