// Package clitest makes builds that tests of the command line judge.
package clitest

import (
	"fmt"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
)

// Start is when build 0 begins.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Builds are count builds of a branch of pipeline "app", the first of which is build
// number first and begins so many hours after Start. seconds are the times of steps
// that do not take as long as they usually do; all vary by a few percent.
func Builds(first, count int, branch string, seconds map[string]float64) (list []detect.Build) {
	usual := map[string]float64{"compile": 20, "deps": 40, "lint": 9, "test": 30, "pack": 5, "docs": 12}
	for i := first; i < first+count; i++ {
		b := detect.Build{
			ID: fmt.Sprintf("%s-%d", branch, i), Pipeline: "app", Origin: detect.Origin{Branch: branch, Revision: fmt.Sprintf("c%d", i)},
			Start: Start.Add(time.Duration(i) * time.Hour),
		}
		for j, step := range []string{"deps", "compile", "lint", "test", "docs", "pack"} {
			took, said := seconds[step]
			if !said {
				took = usual[step]
			}
			noise := 1 + 0.03*float64((i*7+j*5)%11-5)/5
			d := time.Duration(took * noise * 1e9).Truncate(time.Millisecond)
			text := "RUN make " + step
			b.Steps = append(b.Steps, detect.Step{
				Key: dockerfile.Key("", "build", text), Name: fmt.Sprintf("[build %d/6] %s", j+1, text),
				Stage: "build", Index: j + 1, Count: 6, Start: b.Start.Add(b.Duration), Duration: d,
			})
			b.Duration += d
		}
		list = append(list, b)
	}
	return list
}
