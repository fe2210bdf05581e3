package buildkit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// steps gathers the steps of one build, from progress or from spans.
type steps struct {
	list     []timeline.Step
	digests  []string       // of what ran, see addContent
	loads    []string       // of what ran before that
	ids      map[string]int // how often each was asked for, see unique
	roles    map[string]role
	warnings []error
}

// add appends a step, its id made unique.
func (s *steps) add(info stepInfo, id string, step timeline.Step) *timeline.Step {
	step.ID = s.unique(id)
	step.Key, step.Rule, step.Body, step.Text = info.key, info.rule(), info.body, info.text
	step.Name = info.name
	step.Platform = info.parsed.Platform
	step.Stage = info.parsed.Stage
	step.Index, step.Count = info.parsed.Index, info.parsed.Count
	s.list = append(s.list, step)
	if s.roles == nil {
		s.roles = map[string]role{}
	}
	if info.parsed.Text != "" {
		s.roles[step.ID] = roleOf(&info)
	}
	return &s.list[len(s.list)-1]
}

// apart says of a step that it worked in intervals that lie apart.
func (s *steps) apart(id string, times intervals) {
	if first, took := s.list[len(s.list)-1].Start, leastFrontend; len(times) > 1 && first.Sub(times[0].start) > took {
		r := s.roles[id]
		r.apart = true
		s.roles[id] = r
	}
}

// unique makes an id unlike all others: an abridged digest may occur twice, and
// a build may have two exporters.
func (s *steps) unique(id string) string {
	if s.ids == nil {
		s.ids = map[string]int{}
	}
	free := id
	for s.ids[free] > 0 || free == "" {
		// Where the search ended the last time, it goes on.
		s.ids[id]++
		free = id + "-" + strconv.Itoa(s.ids[id])
	}
	s.ids[free]++
	return free
}

// elapsed is the time from start to end, 0 if one of them is not known. A clock
// that went wrong gives 0 and a warning that names what was timed.
func (s *steps) elapsed(start, end time.Time, what string) time.Duration {
	if start.IsZero() || end.IsZero() {
		return 0
	}
	d := end.Sub(start)
	switch {
	case d < 0:
		s.warnings = append(s.warnings, fmt.Errorf("%q ends %v before it starts; counted as 0 s", fetch.Cut(what, 80), -d))
		return 0
	case d > MaxDuration:
		s.warnings = append(s.warnings, fmt.Errorf("%q takes more than a year; counted as 0 s", fetch.Cut(what, 80)))
		return 0
	}
	return d
}

// addContent notes a vertex that ran. Its digest is part of the build's content if
// every source shows it so: instructions are, and the loading of a context,
// whose digest is unlike in any two builds.
func (s *steps) addContent(info stepInfo, digest string) {
	switch {
	case info.dockerfile, info.parsed.Text == "load build context":
		s.digests = append(s.digests, digest)
	case strings.HasPrefix(info.parsed.Text, "load build definition "):
		s.loads = append(s.loads, digest)
	}
}

// content is a short hash of the vertices that ran, "" if none did. All
// recordings of one build have the same.
func (s *steps) content() string {
	digests := s.digests
	if len(digests) == 0 {
		digests = s.loads // it failed before it came to anything else
	}
	if len(digests) == 0 {
		return ""
	}
	slices.Sort(digests)
	h := sha256.New()
	for _, d := range slices.Compact(digests) {
		h.Write([]byte(d + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// addPush splits the push off the export step, which was added last and lasts that much
// less: the two go on one after the other, and only one of them depends on the
// registry's mood.
func (s *steps) addPush(repository string, pushed intervals) {
	exported := &s.list[len(s.list)-1]
	exported.Rule = max(exported.Rule, 1) // what the push leaves of it was less before
	start, took := pushed.time()
	if d := exported.Duration - took; d >= 0 {
		exported.Duration = d
	} else {
		exported.Duration = 0
	}
	id, state, failed := exported.ID, exported.State, ""
	if state.HasNoResult() {
		// What the exporter did last is what failed.
		failed, exported.Error, exported.State = exported.Error, "", timeline.Executed
	}
	info := stepInfo{kind: push, name: pushText, key: dockerfile.Key("", pushStage, pushText)}
	if repository != "" {
		info.name = "pushing " + fetch.Clean(repository, MaxName)
	}
	info.parsed.Stage = pushStage
	s.add(info, pushStage, timeline.Step{
		Start: start, Duration: took, State: state, Inputs: []string{id}, Error: failed,
	})
}

// wrote says of the steps that write the result how many bytes of it are new: the layers
// of what ran. What was found in the cache was written by a build before.
func (s *steps) wrote(bytes int64) {
	for i := range s.list {
		step := &s.list[i]
		if step.Bytes == 0 && step.State == timeline.Executed && step.Count == 0 && (step.Stage == exportStage || step.Stage == pushStage) {
			step.Bytes = bytes
		}
	}
}

// doubt says of the steps from index first on that their times are not sure.
func (s *steps) doubt(first int) {
	for i := range s.list[first:] {
		if step := &s.list[first+i]; step.State == timeline.Executed {
			step.State, step.Error = timeline.Interrupted, lostPart
		}
	}
}

// addLayers adds steps for the moving of an image's layers, and for unpacking them, where
// the source tells of these. They are parts of the step that was added last.
func (s *steps) addLayers(of *stepInfo, moved, unpacked intervals, bytes int64) {
	whole := len(s.list) - 1
	id := s.list[whole].ID
	for _, part := range []struct {
		info  stepInfo
		times intervals
		bytes int64
	}{
		{pullInfo(of), moved, bytes}, {unpackInfo(of), unpacked, 0},
	} {
		if len(part.times) == 0 {
			continue
		}
		start, took := part.times.time()
		added := s.add(part.info, part.info.parsed.Stage+"-"+id, timeline.Step{Start: start, Duration: took, Bytes: part.bytes})
		s.list[whole].Inputs = append(s.list[whole].Inputs, added.ID)
	}
}

// sorted returns the steps in order of their start; those that never started
// come last, as they were announced.
func (s *steps) sorted() []timeline.Step {
	sort.SliceStable(s.list, func(i, j int) bool {
		a, b := s.list[i].Start, s.list[j].Start
		if a.IsZero() || b.IsZero() {
			return !a.IsZero() && b.IsZero()
		}
		return a.Before(b)
	})
	return s.list
}
