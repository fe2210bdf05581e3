package report

import (
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/course"
)

// Each kind of advice says what would have to be different, how much that is, and how it was
// reckoned, in all formats by the same words.
func TestAdviceWords(t *testing.T) {
	names := []string{"[app 3/5] RUN npm ci", "[app 4/5] RUN make", "[app 1/5] FROM node:20", "[web 2/2] RUN make web"}
	of := func(kind advice.Kind, steps int, change func(x *advice.Advice)) advice.Advice {
		x := advice.Advice{
			Kind: kind, Steps: []string{"[app] RUN npm ci", "[app] RUN make", "[app] FROM node", "[web] RUN make web"}[:steps], Names: names[:steps],
			Saves: sec(12), Share: 0.2, PerWeek: sec(600), Builds: 40, Ran: 30, Took: sec(20),
		}
		if change != nil {
			change(&x)
		}
		return x
	}
	const gain = "up to 12 s of each build (20 %), 10 m a week"
	for _, c := range []struct {
		advice advice.Advice
		want   string
	}{
		{
			of(advice.Step, 1, nil), "`RUN npm ci`: " + gain + ", if it took no time; reckoned by replaying 40 builds without it.",
		},
		{
			of(advice.Images, 4, func(x *advice.Advice) {
				x.Resolve, x.Fetch, x.Unpack, x.Bytes = sec(0.5), sec(6), sec(5.5), 67_000_000
			}),
			"`RUN npm ci`, `RUN make` and 2 other steps: " + gain + ", if no image had to be asked for or fetched (asking 500 ms, fetching 6 s, unpacking 5.5 s, 67 MB); " +
				"a builder that keeps them, or a registry nearby, spares most of it; reckoned by replaying 40 builds without.",
		},
		{
			of(advice.Images, 1, nil), "`RUN npm ci`: " + gain + ", if no image had to be asked for or fetched; a builder that keeps them, or a registry nearby, spares most of it; reckoned by replaying 40 builds without.",
		},
		{
			of(advice.CacheExport, 1, func(x *advice.Advice) { x.Hits, x.Others = sec(3), 14 }),
			"`RUN npm ci`: " + gain + ", if the cache were not written. It takes 20 s, and what was found in a cache had taken 3 s of each build at most, that of 14 builds of other branches counted in; " +
				"reckoned by replaying 40 builds without it, less what the hits had taken one after the other.",
		},
		{
			of(advice.CacheExport, 1, nil),
			"`RUN npm ci`: " + gain + ", if the cache were not written. It takes 20 s, and what was found in a cache had taken 0 s of each build at most; builds of other branches, which may read it, are not known here; " +
				"reckoned by replaying 40 builds without it, less what the hits had taken one after the other.",
		},
		{
			of(advice.Processors, 3, func(x *advice.Advice) { x.CPUs, x.Waited = 2, sec(24) }),
			"`RUN npm ci`, `RUN make` and `FROM node:20` waited for a processor, 24 s of each build: " + gain + " with twice the 2 processors; reckoned by replaying 40 builds with half of that wait.",
		},
		{
			of(advice.Idle, 1, func(x *advice.Advice) { x.CPUs = 4 }),
			"`RUN npm ci` keeps one of 4 processors busy, and the others idle: " + gain + ", if its work can be split among them; reckoned by replaying 40 builds with it split evenly.",
		},
		{
			of(advice.Indexes, 2, func(x *advice.Advice) { x.Tool = "apt" }),
			"`RUN npm ci` and `RUN make` fetch the index of `apt` each for itself: " + gain + ", if one did for all; reckoned by replaying 40 builds, no fetch longer than the quickest of these steps.",
		},
		{
			of(advice.Order, 1, func(x *advice.Advice) { x.Needs, x.Unneeded = []string{"go.mod", "go.sum"}, 28 }),
			"`RUN npm ci` ran in 30 of 40 builds, in 28 of them though none of `go.mod` and `go.sum` had changed: " + gain +
				", if what it needs were copied first, and the rest behind it; reckoned by replaying those builds without it, by what git says changed.",
		},
		{
			of(advice.Order, 1, func(x *advice.Advice) { x.Needs, x.Unneeded = []string{"requirements.txt"}, 28 }),
			"`RUN npm ci` ran in 30 of 40 builds, in 28 of them though `requirements.txt` had not changed: " + gain +
				", if what it needs were copied first, and the rest behind it; reckoned by replaying those builds without it, by what git says changed.",
		},
		{
			of(advice.Order, 1, func(x *advice.Advice) { x.Unneeded = 28 }),
			"`RUN npm ci` ran in 30 of 40 builds, in 28 of them though it needs no file of the build context: " + gain +
				", if what it needs were copied first, and the rest behind it; reckoned by replaying those builds without it, by what git says changed.",
		},
		{
			of(advice.Layers, 2, func(x *advice.Advice) { x.Bytes, x.Unneeded = 280_000_000, 28 }),
			"`RUN npm ci` writes the same 280 MB again in 28 of 40 builds, as what stands before it changed: " + gain + ", if it stood before that, or were a `COPY --link`; " +
				"reckoned by replaying 40 builds without it, and `RUN make` shorter by its share of the bytes.",
		},
		{
			of(advice.Mounts, 1, func(x *advice.Advice) { x.Packages = 34 }),
			"`RUN npm ci` fetched 34 modules again in 30 of 40 builds, though its cache mount keeps them: the builder does not. Up to 12 s of each build (20 %), 10 m a week, if it took no time; reckoned by replaying 40 builds without it.",
		},
	} {
		h := &course.Report{Results: []course.Course{{Pipeline: "app", Builds: []course.Build{{ID: "1"}}, Advice: []advice.Advice{c.advice}}}}
		var out strings.Builder
		if err := HistoryMarkdown(&out, h, HistoryOptions{}); err != nil {
			t.Fatal(err)
		}
		_, told, _ := strings.Cut(out.String(), "**"+adviceTitle+"**\n\n- ")
		if told, _, _ = strings.Cut(told, "\n"); told != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.advice.Kind, told, c.want)
		}
	}
}

// What became faster is told with what was promised, and what became slower is not.
func TestPromiseWords(t *testing.T) {
	c := course.Course{Pipeline: "app", Builds: []course.Build{{ID: "1"}, {ID: "2"}}}
	c.WallClock.Points = []course.Point{{Build: 0}, {Build: 1}}
	for _, test := range []struct {
		shift course.Shift
		want  string
	}{
		{course.Shift{Build: 1, Before: sec(80), Now: sec(69), Builds: 17, Total: -sec(187), Promised: sec(12)}, "; 3 m 7 s saved in 17 builds; promised 12 s a build, saved 11 s."},
		{course.Shift{Build: 1, Before: sec(80), Now: sec(69), Builds: 17, Total: -sec(187)}, "; 3 m 7 s saved in 17 builds."},
		{course.Shift{Build: 1, Before: sec(69), Now: sec(80), Builds: 17, Total: sec(187), Promised: sec(12)}, "; 3 m 7 s lost in 17 builds."},
	} {
		c.WallClock.Shifts = []course.Shift{test.shift}
		var out strings.Builder
		if err := HistoryMarkdown(&out, &course.Report{Results: []course.Course{c}}, HistoryOptions{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), test.want+"\n") {
			t.Errorf("want %q in\n%s", test.want, out.String())
		}
	}
}
