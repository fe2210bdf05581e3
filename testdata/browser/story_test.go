package browser

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
)

// begin is when the first build of a story began.
var begin = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// A part is a step of a story: what it takes in the builds from a number on.
type part struct {
	stage, text string
	levels      map[int]float64 // seconds, by the first build
	cached      float64         // share of the builds that find it in the cache
	bytes       int64
}

// shop is an image that was made faster twice, and slower once.
var shop = []part{
	{stage: "deps", text: "COPY package.json package-lock.json ./", levels: map[int]float64{0: 0.2}, cached: 0.2},
	{stage: "deps", text: "RUN npm ci", levels: map[int]float64{0: 48, 130: 21, 250: 39}, cached: 0.2},
	{stage: "build", text: "COPY . .", levels: map[int]float64{0: 0.5}},
	{stage: "build", text: "RUN npm run build", levels: map[int]float64{0: 31}},
	{stage: "build", text: "RUN npm test", levels: map[int]float64{0: 44, 190: 24}},
	{stage: "push", text: "pushing layers", levels: map[int]float64{0: 7, 252: 11}, bytes: 96e6},
}

// buildsOf makes builds of main of a pipeline, so many a day. They are the same each time.
func buildsOf(pipeline string, parts []part, count, perDay int) (list []timeline.Build) {
	rng := rand.New(rand.NewPCG(4, 2))
	for i := range count {
		b := timeline.Build{
			ID: fmt.Sprintf("%s-%d", pipeline, i), Pipeline: pipeline, Start: begin.Add(time.Duration(i) * 24 * time.Hour / time.Duration(perDay)),
			Origin: timeline.Origin{Branch: "main", Revision: fmt.Sprintf("%x", sha1.Sum([]byte{byte(i), byte(i >> 8), 7})), URL: fmt.Sprintf("https://ci.example/shop/runs/%d", 70000+i)},
		}
		slow := 1.0
		if rng.IntN(40) == 0 { // a single slow build
			slow = 1.7 + rng.Float64()
		}
		miss := rng.Float64()
		for k, p := range parts {
			from, seconds := -1, 0.0
			for first, s := range p.levels {
				if first <= i && first > from {
					from, seconds = first, s
				}
			}
			s := timeline.Step{
				Key: dockerfile.Key("", p.stage, p.text), Name: fmt.Sprintf("[%s %d/6] %s", p.stage, k+1, p.text), Stage: p.stage, Index: k + 1, Count: 6,
				Start: b.Start.Add(b.Duration), Bytes: p.bytes,
			}
			if p.stage == "push" {
				s.Name, s.Key, s.Index, s.Count = p.text, p.text, 0, 0
			}
			noise := 1 + 0.05*rng.NormFloat64()
			if miss < p.cached {
				s.State = timeline.Cached
			} else {
				s.Duration = time.Duration(seconds * slow * max(noise, 0.8) * 1e9).Truncate(time.Millisecond)
			}
			b.Steps = append(b.Steps, s)
			b.Duration += s.Duration
		}
		list = append(list, b)
	}
	return list
}

// buildsFile writes builds.
func buildsFile(t testing.TB, list []timeline.Build) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "builds.jsonl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(builds.Encode(f, list), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}
