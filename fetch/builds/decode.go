package builds

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/boundjson"
)

// Decode reads the builds in r; name stands for it in errors. A line that is
// wrong is a *fetch.DecodeError that tells its number; the builds of all other
// lines are returned with the errors joined.
func Decode(r io.Reader, name string) ([]timeline.Build, error) {
	var list []timeline.Build
	entries := 0
	err := scan(r, name, func(b timeline.Build) error {
		entries += Entries(&b)
		if len(list) == MaxBuilds || entries > MaxEntries {
			return errTooMany
		}
		list = append(list, b)
		return nil
	})
	if len(list) == 0 && err == nil {
		return nil, fmt.Errorf("%s: %w", redact.Text(name), fetch.ErrNoBuilds)
	}
	return list, err
}

// scan hands each build in r over, and returns the errors with lines joined. An error of
// take ends it.
func scan(r io.Reader, name string, take func(timeline.Build) error) error {
	lines := newLines(r)
	var bad []error
	wrong := func(err error) {
		const most = 100
		if len(bad) < most {
			bad = append(bad, &fetch.DecodeError{Name: name, Offset: -1, Err: fmt.Errorf("line %d: %w", lines.n, err)})
		}
	}
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		var b timeline.Build
		if err == nil {
			b, err = decodeLine(line)
		}
		if err != nil {
			wrong(err)
			if lines.broken {
				break
			}
			continue
		}
		if err := take(b); err != nil {
			wrong(err)
			break
		}
	}
	return errors.Join(bad...)
}

var errTooMany = fmt.Errorf("more than %d builds, or %d steps, inputs and lines of log in them; the rest is left out", MaxBuilds, MaxEntries)

func decodeLine(line []byte) (timeline.Build, error) {
	var b build
	if err := boundjson.Unmarshal(line, &b); err != nil {
		return timeline.Build{}, err
	}
	return b.build()
}

// build checks a line and makes it a Build.
func (b *build) build() (timeline.Build, error) {
	out := timeline.Build{
		ID: b.ID, Trace: b.TraceID, Content: b.Content, Pipeline: b.Pipeline, Image: b.Image, Target: b.Target, Origin: timeline.Origin(b.origin),
		Outcome: b.Outcome, Error: b.Error, Log: b.Log, Resolution: b.Resolution.D(), Partial: b.Partial, Reader: b.Reader,
	}
	if b.ID == "" && (b.Start == nil || b.Start.IsZero()) {
		return out, errors.New("has neither id nor start")
	}
	if b.Reader < 0 {
		return out, fmt.Errorf("reader is %d, less than none", b.Reader)
	}
	if len(b.Steps) > MaxSteps {
		return out, fmt.Errorf("has more than %d steps", MaxSteps)
	}
	if b.Start != nil {
		out.Start = b.Start.UTC()
		if err := checkTime(out.Start); err != nil {
			return out, err
		}
	}
	for i := range b.Steps {
		s, err := b.Steps[i].step()
		if err != nil {
			return out, fmt.Errorf("step %d: %w", i+1, err)
		}
		if b.Steps[i].Key == nil && b.Reader == 0 {
			// Another program wrote it, and we say what its steps are.
			out.Reader = timeline.ReaderVersion
			if dockerfile.HasMatrix(s.Name) { // see fetch/buildkit/rules.go
				s.Rule = 1
			}
		}
		out.Steps = append(out.Steps, s)
	}
	for i := range out.Steps {
		if r := out.Steps[i].Rule; r > out.Reader {
			return out, fmt.Errorf("step %d: rule is %d, of a later reader than the build's, %d", i+1, r, out.Reader)
		}
	}
	if b.Duration != nil {
		out.Duration = b.Duration.D()
	} else {
		out.Duration = totalDuration(&out)
	}
	if err := checkDuration(out.Duration); err != nil {
		return out, err
	}
	if out.Resolution < 0 || out.Resolution > MaxResolution {
		return out, fmt.Errorf("resolution_seconds is %v, of which no build can be judged: 0 to %v is possible", out.Resolution, MaxResolution)
	}
	texts := append(out.Origin.Texts(), &out.ID, &out.Trace, &out.Content, &out.Pipeline, &out.Image, &out.Target, &out.Error)
	if b.Within != nil {
		out.Within = &timeline.Within{Build: b.Within.Build, Step: b.Within.Step}
		texts = append(texts, &out.Within.Build, &out.Within.Step)
	}
	for _, text := range texts {
		*text = fetch.Clean(*text, MaxName)
	}
	if len(out.Log) == 0 { // "log":[] says no more than no log
		out.Log = nil
	}
	out.Log = cleanLog(out.Log)
	out.ID = b.id(&out)
	if out.Facts, out.Machine = cleanFacts(b.Facts), cleanMachine(b.Machine); b.Machine != nil && !b.Machine.Plausible() {
		return out, errors.New("machine has a share that is none, or a number that is less than none")
	}
	out.BoundFacts()
	return out, nil
}

// cleanLog makes lines of a log fit to be shown. They are masked together: a key that goes
// over several of them shows in none alone.
func cleanLog(lines []string) []string {
	for i, line := range lines {
		lines[i] = fetch.Cut(line, 4*MaxName) // masking costs what is long
	}
	if log := strings.Join(lines, "\n"); redact.Text(log) != log {
		lines = strings.Split(redact.Text(log), "\n")
	}
	for i := range lines {
		lines[i] = fetch.Clean(lines[i], MaxName)
	}
	return lines
}

// totalDuration is the time from the first start of a step to the last end, where the
// steps have starts; else that of the longest step, which took no longer.
func totalDuration(b *timeline.Build) time.Duration {
	var first, last time.Time
	var longest time.Duration
	for _, s := range b.Steps {
		longest = max(longest, s.Duration)
		if s.Start.IsZero() {
			continue
		}
		if first.IsZero() || s.Start.Before(first) {
			first = s.Start
		}
		if end := s.Start.Add(s.Duration); end.After(last) {
			last = end
		}
	}
	return max(last.Sub(first), longest)
}

// step checks a step, and fills in what its name tells.
func (s *step) step() (timeline.Step, error) {
	out := timeline.Step{
		ID: fetch.Clean(s.ID, MaxName), Name: fetch.Clean(s.Name, MaxName), Error: fetch.Clean(s.Error, MaxName),
		State: s.State, Inputs: s.Inputs, Bytes: s.Bytes, Rule: s.Rule, Body: fetch.Clean(s.Body, MaxName),
		Text: fetch.Clean(s.Text, MaxName),
	}
	switch {
	case s.Name == "":
		return out, errors.New("has no name")
	case s.Duration == nil:
		return out, errors.New("has no duration_seconds")
	case s.Rule < 0:
		return out, fmt.Errorf("rule is %d, less than none", s.Rule)
	case s.Bytes < 0:
		return out, fmt.Errorf("bytes are %d, less than none", s.Bytes)
	case s.Index != nil && *s.Index < 0, s.Count != nil && *s.Count < 0:
		return out, errors.New("index or count is less than none")
	}
	out.Duration = s.Duration.D()
	if err := checkDuration(out.Duration); err != nil {
		return out, err
	}
	if s.Start != nil {
		out.Start = s.Start.UTC()
		if err := checkTime(out.Start); err != nil {
			return out, err
		}
	}
	if s.Source != nil {
		if s.Source.Line < 0 {
			return out, fmt.Errorf("source line is %d, less than none", s.Source.Line)
		}
		out.Source = dockerfile.Position{File: fetch.Clean(s.Source.File, MaxName), Line: s.Source.Line}
	}
	if len(out.Inputs) == 0 {
		out.Inputs = nil
	}
	for i := range out.Inputs {
		out.Inputs[i] = fetch.Clean(out.Inputs[i], MaxName)
	}
	name := dockerfile.ParseName(out.Name)
	out.Platform, out.Stage, out.Index, out.Count = name.Platform, name.Stage, name.Index, name.Count
	for _, f := range []struct{ to, from *string }{{&out.Platform, s.Platform}, {&out.Stage, s.Stage}} {
		if f.from != nil {
			*f.to = fetch.Clean(*f.from, MaxName)
		}
	}
	for _, f := range []struct{ to, from *int }{{&out.Index, s.Index}, {&out.Count, s.Count}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	out.Key = dockerfile.Key(out.Platform, out.Stage, name.Text)
	if s.Key != nil && *s.Key != "" {
		out.Key = *s.Key
	}
	out.Key = fetch.Clean(out.Key, MaxName)
	if out.Facts, out.Usage = cleanStepFacts(s.Facts), cleanUsage(s.Usage); s.Usage != nil && !s.Usage.Plausible() {
		return out, errors.New("usage has a number that is less than none, or no step can have")
	}
	return out, nil
}

func checkTime(t time.Time) error {
	if !fetch.Plausible(t) {
		return fmt.Errorf("start is in the year %d", t.Year())
	}
	return nil
}

func checkDuration(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("a duration is %v, less than none", d)
	}
	if d > MaxTime {
		return fmt.Errorf("a duration is %v, more than a year", d)
	}
	return nil
}

// isBlank tells a line without anything in it.
func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }
