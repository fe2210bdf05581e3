package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/report"
)

// BenchmarkYear opens the page of a year, thirty builds a day of forty steps each, and tells
// how long it takes until it is laid out and can be used: the later of the end of loading and
// of the first paint.
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
	sum := 0.0
	for b.Loop() {
		t := open(b, address, looks[2])
		sum += value[float64](t, `new Promise(done => new PerformanceObserver(list => done(Math.max(performance.getEntriesByType('navigation')[0].loadEventEnd, list.getEntries()[0].startTime))).observe({type: 'paint', buffered: true}))`)
		t.isQuiet()
		t.close()
	}
	b.ReportMetric(sum/float64(b.N), "ms-to-use")
	b.ReportMetric(float64(page.Len()), "bytes")
}
