package browser

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// axe-core, as npm has it, and the checksum of its archive.
const (
	axe    = "axe-core@4.14.1"
	axeSum = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axe-core finds nothing to say of any page: as it is opened, and with all that can be opened
// and a panel full of values.
func TestAccessible(t *testing.T) {
	script := npmFile(t, axe, axeSum, "axe.min.js")
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := open(t, file(t, pageOf(t, kind)), looks[0])
			value[bool](b, script+";true")
			violations := func(when string) {
				t.Helper()
				for _, v := range value[[]string](b, `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 300) + ' ' + n.any.map(a => a.message)).join(' | ')))`) {
					t.Errorf("%s: %s", when, v)
				}
			}
			violations("as opened")
			// One long table, and one that is a chart's twin, are as good as all.
			b.want(`[...document.querySelectorAll('details')].filter(d => d.querySelectorAll('tr').length < 70).slice(0, 2).every(d => d.open = true)`)
			b.key(kb.ArrowRight)
			b.want(`document.querySelector('aside h2').innerText !== ''`)
			for _, l := range looks {
				b.look(l)
				violations(l.String())
			}
		})
	}
}
