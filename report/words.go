package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Numbers in words, the same in each format.

// minus is the sign that detect.Seconds has as well.
const minus = "−"

// between writes a range: "38–45 s", or "850 ms–1.24 s", or one if they look alike.
func between(low, high timeline.Seconds) string {
	l, h := low.String(), high.String()
	if l == h {
		return h
	}
	number, unit, _ := strings.Cut(l, " ")
	if _, other, _ := strings.Cut(h, " "); unit == other && !strings.Contains(unit, " ") {
		return number + "–" + h
	}
	return l + "–" + h
}

// ratio writes how many times as long: "×1.6", "×0.62", "×12"; "" if that is
// not known.
func ratio(r float64) string {
	if n := number(r); n != "" {
		return "×" + n
	}
	return ""
}

// number writes a positive number with the two digits that matter, "" for any other.
func number(r float64) string {
	switch {
	case !(r > 0) || math.IsInf(r, 0):
		return ""
	case r >= 9.95:
		return strconv.FormatFloat(r, 'f', 0, 64)
	case r >= 0.995:
		return strconv.FormatFloat(r, 'f', 1, 64)
	}
	return strconv.FormatFloat(r, 'f', 2, 64)
}

// atLeast writes a smallest slowdown that can be shown, 1.4 as "≥ ×1.4"; "" if
// it is not known. It is rounded up: less is not promised.
func atLeast(r float64) string {
	if least := leastFactor(r); least != "" {
		return "≥ " + least
	}
	return ""
}

// leastFactor is a bound above 1, rounded up; "" for none.
func leastFactor(r float64) string {
	if !(r > 1) || r > 1e6 {
		return ""
	}
	return "×" + factor(math.Ceil(r*100-1e-9)/100)
}

// factor writes a positive number near 1, to the percent: "1.04", "0.9", "12".
func factor(r float64) string {
	if r >= 9.95 {
		return strconv.FormatFloat(math.Ceil(r-1e-9), 'f', 0, 64)
	}
	return strconv.FormatFloat(math.Round(r*100)/100, 'f', -1, 64)
}

// percent writes a share, 0.95 as "95 %".
func percent(share float64) string { return fmt.Sprintf("%.0f %%", share*100) }

// Count writes "1 step", "2 steps".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// verb chooses between one and many.
func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// capitalize makes the first letter of an English sentence a capital.
func capitalize(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
