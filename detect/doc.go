// Package detect judges a new build against its history.
//
// Judge does both for a whole build: it finds each step in the history, estimates how
// fast the machine was, decides which steps are slower, accounts for the wall-clock time
// and for the cache, and gives a Verdict. Decide is the statistical part alone, on nothing
// but durations. A Result holds all that it follows from; Recompute decides it again.
//
// The package is pure: it reads no file, no clock and no environment, and starts nothing
// that outlives a call. Package timeline, below, says what a build and its steps are, and
// package fetch makes them; package report shows Results; package backtest, below, counts what
// would have been said of a history.
//
// # The judgement of one step
//
// The null hypothesis is that nothing changed: the new value is exchangeable with the
// step's history, its executed times on the base branch, on logarithms. Of the history a
// tail is estimated: the probability that the next value lies at y or beyond.
//
//	S(y) = (sum over values of K((y-v)/w) + the same of older ones, weaker + F(y-m)) / (n + weight of the older + 1)
//
// K is the upper tail of a logistic kernel at each value of the window; older values are
// remembered by how far above their own level they lay (Tail); and the weight of one value
// is left to what was never seen. How far such values lie from their median m is borrowed
// (F): from the steps of the same kind (the same instruction or job in another stage,
// platform or entry of a matrix) as far as they are many, else from all steps of the build
// in units of each step's spread, and from a prior last. So a noisy kind of step says
// little of a quiet one, and modes need no rule: they are kernels.
//
// S falls with y whatever the history, so that a larger value is never judged milder, and
// the smallest slowdown that can be shown is found by inverting it. S is only a model, so
// the error of believing it is not S, but is read off a line that was calibrated on
// unchanged values of real builds (errorline.go).
//
// Several builds of a branch are judged together by the sum of their standard scores
// (Stouffer 1949), each of them capped, plus twice the standard score of the rank sum of
// Mann and Whitney (1947) against the history: the ranks are the stronger ones about small
// changes, the tails about large ones. All values of a run but one of four lie above the
// median, and its newest above the usual range: one that lies among the history's own values
// is never called slower. What was called of a branch stays called while its newest value
// stands off.
//
// A step is slower if that error is at most SlowerP and, by Benjamini and Hochberg (1995),
// the false discovery rate over all steps of the build is at most Thresholds.FDR; it is
// suspect up to SuspectP. Both must hold with and without the estimated factor of the
// machine, and the slowdown must be worth telling: at least Thresholds.MinSlowdown and
// Thresholds.MinDelta.
//
// Assumed is that builds of the baseline are exchangeable but for lasting changes of level,
// which are searched for (level.FindShift); that a slowdown multiplies; and that steps share no
// hidden cause but the machine.
//
// # What was tried
//
// Each was measured on seven projects that the constants were chosen on by leaving whole
// projects out, at equal false alarms of 1.5 of 1,000 unchanged values against histories
// of 20: the share of one build's slowdowns of ×2, ×3 and ×5 that are found.
//
//	tail as above                                        .51  .68  .85
//	the next value's distance from the largest, over the spread  .38  .64  .77
//	without what is remembered of older values           .30  .50  .71
//	without siblings                                     .48  .66  .83
//	with the prior alone in place of the build's steps   .41  .70  .87
//	distances from the largest value, not the median     .50  .65  .81
//	kernels as wide as the spread of all modes           .49  .67  .84
//
// The choices are not delicate: kernels of 0.35 to 0.7 spreads, older values of a weight of
// 0.1 to 1 and half-lives of 50 to 100, and weights of kind and build of 2 to 100 move the
// figures by one or two hundredths. More modelling of one step's values hardly pays: what is
// left needs to be told, such as whether a cache inside the step was hit.
//
// # A branch
//
// Each build of a branch is another look at it, and looking repeatedly inflates the error.
// A run of several builds is charged 0.3 powers of ten, and one that does not begin with
// the branch's first build, or a later build by itself, 0.5: a slowdown mostly comes with
// the first commit, while a branch has many chances to look slow later. Charged less (0.2), a
// later build that is slow by itself is found more often, and of 1,000 unchanged steps
// 11 are called at any of five looks.
//
// # What it reaches
//
// go run ./testdata/measure prints it for any projects, those in docs/judgement.md among
// them.
//
// # Limits
//
// One build alone proves a factor of two to five, by the step. What no build has shown yet,
// such as a cold path that is taken once in a hundred builds, looks like a slowdown when it
// first comes. If most steps become slower by one factor, that is taken for the machine's,
// and the build is unsure at most.
package detect
