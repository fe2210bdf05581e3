// Package detect says what a container build and its steps are, and judges a new build
// against its history.
//
// Judge does both for a whole build: it finds each step in the history, estimates how
// fast the machine was, decides which steps are slower, accounts for the wall-clock time
// and for the cache, and gives a Verdict. Decide is the statistical part alone, on nothing
// but durations. A Result holds all that it follows from; Recompute decides it again.
//
// The package is pure: it reads no file, no clock and no environment, and starts nothing
// that outlives a call. Package fetch makes Builds; package report shows Results; package
// backtest, below, counts what would have been said of a history.
//
// # The judgement of one step
//
// The null hypothesis is that nothing changed: the new value is exchangeable with the
// step's history, its executed times on the base branch. On the logarithms of these, a
// predictive density of the next value is estimated: a kernel at each value seen (Student's
// t, 4 degrees of freedom), mixed with a small share of contamination whose upper tail is
// exponential.
//
// The alternative is that the newest value, or the newest few of a branch, are all slower
// by one unknown factor. The logarithm of its Bayes factor against the null hypothesis,
// over a prior of factors, is the Evidence. The density is only a model, so the error of
// believing the evidence is not derived from it, but read off a line that was calibrated
// on unchanged values of real builds (errorOf).
//
// A step is slower if that error is at most SlowerP and, by Benjamini and Hochberg (1995),
// the false discovery rate over all steps of the build is at most Thresholds.FDR; it is
// suspect up to SuspectP. Both must hold with and without the estimated factor of the
// machine, and the slowdown must be worth telling: at least Thresholds.MinSlowdown and
// Thresholds.MinDelta.
//
// Assumed is that builds of the baseline are exchangeable but for lasting changes of level,
// which are searched for (findShift); that a slowdown multiplies; and that steps share no
// hidden cause but the machine.
//
// # What was tried
//
// Each score below was computed for 21,000 unchanged values, and groups of three, from 119
// CI jobs and compile steps of three projects, held out of histories of 20; and for the same
// values made slower. Its threshold was set to a rate of false alarms, and the table gives
// the share of slowdowns found at that threshold (the power). By definition, a change of
// less than 15 % or one second is not found.
//
//	                                         one build, 10 of 1,000   1.5 of 1,000   three builds, 2 of 1,000
//	                                         +20 % +50 % +100 %       ×3   ×5        +20 % +50 % +100 %
//	value / largest                          .19   .62   .84          .48  .86       .23   .67   .84
//	(ln value - ln largest) / spread         .23   .61   .82          .68  .80       .26   .67   .82
//	(ln value - ln median) / spread          .06   .59   .85          .48  .79       .04   .64   .85
//	tail of the predictive density           .13   .62   .82          .69  .89       .22   .73   .84
//	Bayes factor of a common shift           .21   .62   .84          .77  .88       .37   .81   .89
//
// The Bayes factor is used. It is the most powerful where it matters, at few false alarms
// and over several builds, and it needs no rules of its own for modes and outliers.
//
// The share of contamination is estimated from all steps of the pipeline together, as one
// history is too short to show it. Kernels are never narrower than 4 %, lest a step that was
// quiet by luck raises alarms. The choices are not delicate: kernels of 0.5 to 0.7 spreads,
// floors of 3 to 6 %, shares of 0.5 to 10 % and tails half as long again move the figures by
// one or two hundredths.
//
// # A branch
//
// Each build of a branch is another look at it, and looking repeatedly inflates the error.
// The run of newest builds counts whose evidence is strongest, but a run that does not begin
// with the branch's first build needs half a power of ten more (penaltyLate): a slowdown
// mostly comes with the first commit, while a branch has many chances to look slow later. At
// a threshold that 2 of 1,000 unchanged steps reach at the third build, the power is:
//
//	                                +20 % +50 % +100 %
//	every run held to the same      .24   .71   .88
//	late runs held to more          .30   .77   .89
//	only the whole branch           .38   .81   .90
//
// The last finds no slowdown that begins later, and so is not used.
//
// # What it reaches
//
// Error rates and power at default settings, with histories of 20 and builds of 30 steps,
// each case decided by Decide (go run ./testdata/measure -seeds 40 on the same series).
// Intervals are of 95 %, by a bootstrap over the series:
//
//	unchanged, one build      slower 1.1 (0.2–2.1) of 1,000, or suspect 3.2 (1.3–5.5)
//	slower, one build         ×2 .30, ×3 .66, ×5 .90; or suspect .74, .88, .94
//	unchanged, third build    0.6 (0–1.5) of 1,000
//	slower, third build       ×1.2 .26, ×1.5 .72, ×2 .87
//	unchanged, five builds    slower at any of them 3.8 (1.9–6.1) of 1,000
//	slower, by the third      ×1.2 .28, ×1.5 .74, ×2 .89
//	slower, by the fifth      ×1.2 .43, ×1.5 .85, ×2 .93
//	at the stated minimum     found .87 (one build), .76 (three)
//	unchanged builds          3.5 % regressed, 9.6 % unsure
//
// SlowerP trades false alarms (of 1,000 unchanged steps) for power:
//
//	limit    one build: false   ×2   ×3   ×5   any of five: false   ×1.2  ×1.5  ×2
//	0.0003              0.2    .11  .16  .32                1.1     .36   .82   .91
//	0.0005              0.4    .14  .29  .63                1.9     .39   .84   .92
//	0.0010              0.8    .23  .53  .85                3.6     .42   .85   .93
//	0.0015              1.1    .34  .70  .91                3.8     .44   .86   .93
//	0.0020              1.9    .45  .80  .92                5.7     .46   .87   .94
//	0.0050              3.6    .75  .88  .94               12.8     .51   .89   .95
//
// Against 50 values, one build is judged as well (1.3 (0.6–2.1) of 1,000, ×3 .74). But
// values drawn at random out of 55 may come from a level that was left since, and are then
// rightly called slower than the new one.
//
// # Limits
//
// One build alone proves a factor of about three. What no build has shown yet, such as a cold
// path that is taken once in fifty builds, looks like a slowdown when it first comes. If most
// steps become slower by one factor, that is taken for the machine's, and the build is unsure
// at most.
package detect
