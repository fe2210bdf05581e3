package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// On a phone and on a wide screen, in light and dark, pages say nothing, ask for nothing and
// are not wider than their window.
func TestPages(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := open(t, file(t, pageOf(t, kind)), looks[0])
			b.want(`document.querySelector('h1').innerText.length > 5`)
			b.want(`document.querySelector('aside') !== null`)
			for _, opened := range []bool{false, true} {
				b.want(fmt.Sprintf(`[...document.querySelectorAll('details')].map(d => d.open = %v).length >= 0`, opened))
				for _, l := range looks {
					b.look(l)
					if !value[bool](b, `document.documentElement.scrollWidth <= innerWidth`) {
						t.Errorf("%s: it is wider than the window", l)
					}
					if dark := value[bool](b, `getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)'`); dark != (l.scheme == "dark") {
						t.Errorf("%s: dark is %v", l, dark)
					}
				}
			}
			b.isQuiet()
		})
	}
}

// What came through the escaping could do nothing: the policy lets nothing run but the
// page's own script.
func TestPolicy(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			page := strings.Replace(pageOf(t, kind), "<main>", `<main><script>window.ran = 1</script><img src="x" onerror="window.ran = 2"><p style="color:red">x</p><a href="javascript:window.ran = 3" id="link">x</a>`, 1)
			b := open(t, file(t, page), looks[2])
			b.run(chromedp.Click(chromedp.CSS("#link")))
			b.want(`window.ran === undefined`)
			b.want(`document.querySelector('aside') !== null`)
			b.want(`getComputedStyle(document.querySelector('main > p')).color !== 'rgb(255, 0, 0)'`)
			b.mu.Lock()
			defer b.mu.Unlock()
			has(t, strings.Join(b.said, "\n"), "script", "style", "Content Security Policy")
			if out := len(b.requests) - b.refused; out != 1 {
				t.Errorf("%d requests went out of %q", out, b.requests)
			}
		})
	}
}

// jenkins is the policy with which Jenkins serves what builds archive.
const jenkins = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'"

// Where neither style nor script is let, all is there: each word that is not folded has a
// place, and each drawing a size.
func TestJenkins(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := open(t, served(t, pageOf(t, kind), jenkins), looks[0])
			b.want(`document.querySelector('aside') === null`)
			b.want(`getComputedStyle(document.body).maxWidth === 'none'`)
			for _, l := range looks {
				b.look(l)
				if hidden := value[[]string](b, `(() => {
					const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT), out = [];
					for (let n; n = walker.nextNode();) {
						if (!n.data.trim() || n.parentElement.closest('script, title, details > :not(summary)')) continue;
						const r = document.createRange();
						r.selectNodeContents(n);
						if (r.getBoundingClientRect().width === 0) out.push(n.data);
					}
					return out;
				})()`); len(hidden) > 0 {
					t.Errorf("%s: not shown: %q", l, hidden)
				}
				b.want(`[...document.querySelectorAll('main > section > svg, td > svg')].every(s => s.getBoundingClientRect().width > 50 && s.getBoundingClientRect().height > 0)`)
				if dark := value[bool](b, `getComputedStyle(document.body).color !== 'rgb(0, 0, 0)'`); dark != (l.scheme == "dark") {
					t.Errorf("%s: dark is %v", l, dark)
				}
			}
		})
	}
}
