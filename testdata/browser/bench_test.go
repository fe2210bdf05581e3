package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/report"
)

// BenchmarkYear opens the page of a year, thirty builds a day of forty steps each, and tells
// how long it takes until it is laid out and can be used: by the clock, to the later of the
// end of loading and of the first paint, and by what the page's thread worked for it, which
// is the same on a busy machine.
func BenchmarkYear(b *testing.B) {
	var parts []part
	for k := range 40 {
		parts = append(parts, part{stage: "build", text: fmt.Sprintf("RUN make -j8 part-%d", k), levels: map[int]float64{0: float64(2 + k%9), 200 * k: float64(3 + k%9)}, cached: float64(k%3) * 0.3})
	}
	var page strings.Builder
	h := &course.Report{Results: []course.Course{*course.Follow(buildsOf("acme/shop", parts, 365*30, 30), detect.Thresholds{})}}
	if err := report.HistoryHTML(&page, h, report.HistoryOptions{All: true}); err != nil {
		b.Fatal(err)
	}
	address := file(b, page.String())
	clock, work := 0.0, 0.0
	for b.Loop() {
		t := open(b, "about:blank", looks[2])
		call(t, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks})
		t.run(chromedp.Navigate(address))
		clock += value[float64](t, `new Promise(done => new PerformanceObserver(list => done(Math.max(performance.getEntriesByType('navigation')[0].loadEventEnd, list.getEntries()[0].startTime))).observe({type: 'paint', buffered: true}))`)
		for _, m := range call(t, performance.GetMetrics, cdp.Empty{}).Metrics {
			if m.Name == "TaskDuration" {
				work += 1000 * m.Value
			}
		}
		t.close()
	}
	b.ReportMetric(clock/float64(b.N), "ms-to-use")
	b.ReportMetric(work/float64(b.N), "ms-of-work")
	b.ReportMetric(float64(page.Len()), "bytes")
}
