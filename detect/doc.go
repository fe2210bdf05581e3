// Package detect says what a container build and its steps are, and judges one
// new build against its history.
//
// It is pure: it reads no file, no clock and no environment, and starts nothing
// that outlives a call. Package fetch makes Builds; package report shows Results.
//
// # The judgement of one step
//
// A step's history (its executed times on the base branch, as logarithms) is
// turned into a predictive density of the next value: a kernel of Student's t
// with 4 degrees of freedom at each value seen, and a small share of
// contamination with an exponential tail. A new value, or the newest few of a
// branch, are weighed by a Bayes factor: how much likelier they are if all of
// them are slower by one factor, over a prior of factors, than if nothing
// changed. Its logarithm is the evidence; the error of believing it is looked up
// on a line that was measured on unchanged values (errorOf). A step is slower if
// that error is at most SlowerP and, by Benjamini and Hochberg (1995), its false
// discovery rate over all steps of the build is at most Thresholds.FDR; it is a
// suspect up to SuspectP. All of it must hold with and without the factor by
// which the machine was slower, and the slowdown must be worth telling.
//
// Assumed: that builds of the baseline are exchangeable but for lasting changes
// of level, which are looked for (findShift); that a slowdown multiplies; that
// steps share no hidden cause but the machine.
//
// # What was tried
//
// Each score below was given 21,000 unchanged values (and groups of three) of
// 119 CI jobs and compile steps of three projects, held out of histories of 20,
// and the same values made slower. Its threshold was set to a rate of false
// alarms; the rows say how much it found then. A change below 15 % or one second
// is not found by definition.
//
//	                                         one build, 10 of 1,000   1.5 of 1,000   three builds, 2 of 1,000
//	                                         +20 % +50 % +100 %       ×3   ×5        +20 % +50 % +100 %
//	value / largest                          .19   .62   .84          .48  .86       .23   .67   .84
//	(ln value - ln largest) / spread         .23   .61   .82          .68  .80       .26   .67   .82
//	(ln value - ln median) / spread          .06   .59   .85          .48  .79       .04   .64   .85
//	tail of the predictive density           .13   .62   .82          .69  .89       .22   .73   .84
//	Bayes factor of a common shift           .21   .62   .84          .77  .88       .37   .81   .89
//
// The last one is used: it is the best where it counts, at few false alarms and
// over several builds, and it needs no rule of its own for modes and outliers.
// The share of contamination is estimated from all steps of the pipeline, as one
// history is too short to show it; kernels never narrower than 4 % keep a step
// that was quiet by luck from alarming. Wider or narrower kernels (0.5 to 0.7
// spreads, floors of 3 to 6 %), shares of 0.5 to 10 % and tails of half as much
// again change the figures by one or two hundredths.
//
// # A branch
//
// Each build of a branch is another look at it. The newest run of builds counts
// whose evidence is strongest, but one that does not begin with the branch's first
// build needs half a power of ten more (penaltyLate): a slowdown mostly comes with
// the first commit, and a branch has many chances to look slow later. At a
// threshold that 2 of 1,000 unchanged steps reach at the third build:
//
//	                                +20 % +50 % +100 %
//	every run held to the same      .24   .71   .88
//	late runs held to more          .30   .77   .89
//	only the whole branch           .38   .81   .90
//
// The last finds nothing that begins later, and so is not used.
//
// # What it reaches
//
// At default settings, histories of 20 and builds of 30 steps, each case through
// Decide (go run ./testdata/measure -seeds 40 on the same series; intervals of 95 %
// by drawing series anew):
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
// Another limit than SlowerP would trade, false alarms being of 1,000:
//
//	limit    one build: false   ×2   ×3   ×5   any of five: false   ×1.2  ×1.5  ×2
//	0.0003              0.2    .11  .16  .32                1.1     .36   .82   .91
//	0.0005              0.4    .14  .29  .63                1.9     .39   .84   .92
//	0.0010              0.8    .23  .53  .85                3.6     .42   .85   .93
//	0.0015              1.1    .34  .70  .91                3.8     .44   .86   .93
//	0.0020              1.9    .45  .80  .92                5.7     .46   .87   .94
//	0.0050              3.6    .75  .88  .94               12.8     .51   .89   .95
//
// Against 50 values, one build is as good (1.3 (0.6–2.1) of 1,000, ×3 .74); but values
// drawn at random out of 55 may be of a level that was left since, and are then
// rightly called slower than the new one.
//
// # Limits
//
// One build proves a factor of about three. What no build has shown yet (a cold
// path that is hit once in fifty builds) looks like a slowdown when it first
// comes. If most steps become slower by one factor, that is taken for the
// machine, and the build is unsure at most.
package detect
