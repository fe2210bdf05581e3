package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/buildregress/buildregress/detect"
)

// The JSON form of a report is that of package detect, with what JSON cannot hold replaced
// and what a terminal would obey escaped. It can be read back, to be written in any format.

// JSON writes the whole report for machines. Lists are never null, times are in
// UTC, and numbers that could not be computed are 0, or 1 if they are the
// probability that nothing changed. One report gives the same bytes each time.
func JSON(w io.Writer, r *detect.Report) error { return encode(w, encodable(r), "report") }

// encode writes a document, which is called what in an error.
func encode(w io.Writer, document any, what string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // "&&" in a RUN is to be read by people too
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		return fmt.Errorf("%s as JSON: %w", what, err)
	}
	_, err := w.Write(escapeUnprintable(b.Bytes()))
	return err
}

// ReadJSON reads what JSON wrote, to be rendered again: in this version of the schema
// or, as upgrade reads it, in version 1.
func ReadJSON(in io.Reader) (*detect.Report, error) {
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	var version struct {
		SchemaVersion *int `json:"schema_version"`
	}
	switch err := json.Unmarshal(data, &version); {
	case err != nil:
		return nil, fmt.Errorf("no JSON report of buildregress: %w", err)
	case version.SchemaVersion == nil:
		return nil, fmt.Errorf("no JSON report of buildregress: it has no schema_version")
	case *version.SchemaVersion == 1:
		if data, err = upgrade(data); err != nil {
			return nil, fmt.Errorf("JSON report of buildregress: %w", err)
		}
	case *version.SchemaVersion != detect.SchemaVersion:
		return nil, fmt.Errorf("report of schema version %d: this buildregress reads versions 1 and %d",
			*version.SchemaVersion, detect.SchemaVersion)
	}
	r := new(detect.Report)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("JSON report of buildregress: %w", err)
	}
	return r, nil
}

// escapeUnprintable escapes what encoding/json leaves as it is and a terminal or a CI
// system would obey when the report is printed: control and formatting
// characters, and the "##" that starts a command in a log. All of it stands in
// strings.
func escapeUnprintable(document []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(document))
	for _, r := range string(bytes.ReplaceAll(document, []byte("##"), []byte(`#\u0023`))) {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, u)
			}
		}
	}
	return b.Bytes()
}

// encodable is a copy of r in which everything can be encoded.
func encodable(r *detect.Report) *detect.Report {
	c := *r
	c.FailOn = list(c.FailOn)
	c.Notes = list(c.Notes)
	c.Results = list(c.Results)
	for i := range c.Results {
		c.Results[i] = encodableResult(c.Results[i])
	}
	return &c
}

func encodableResult(r detect.Result) detect.Result {
	r.Build.Start = encodableTime(r.Build.Start)
	r.Build.Log = list(r.Build.Log)
	r.Baseline.IDs, r.Baseline.Durations = list(r.Baseline.IDs), list(r.Baseline.Durations)
	if f := r.RunnerFactor; f != nil {
		r.RunnerFactor = &detect.RunnerFactor{
			Value: finite(f.Value, 0), Low: finite(f.Low, 0), High: finite(f.High, 0),
			UsualLow: finite(f.UsualLow, 0), UsualHigh: finite(f.UsualHigh, 0), Steps: f.Steps,
			Readings: list(f.Readings), Baseline: list(f.Baseline), BaselineSD: finite(f.BaselineSD, 0),
		}
	}
	r.WallClock.Parts = list(r.WallClock.Parts)
	r.Cache.Losses = list(r.Cache.Losses)
	for i := range r.Cache.Losses {
		l := &r.Cache.Losses[i]
		l.Dragged, l.Share = list(l.Dragged), finite(l.Share, 0)
	}
	r.Counts = maps.Clone(r.Counts)
	if r.Counts == nil {
		r.Counts = map[detect.Status]int{}
	}
	r.Steps = list(r.Steps)
	for i := range r.Steps {
		r.Steps[i] = encodableStep(r.Steps[i])
	}
	r.Thresholds.FDR = finite(r.Thresholds.FDR, 0)
	r.Thresholds.MinSlowdown = finite(r.Thresholds.MinSlowdown, 0)
	r.Notes = list(r.Notes)
	return r
}

func encodableStep(s detect.StepResult) detect.StepResult {
	s.Ratio, s.P, s.Q = finite(s.Ratio, 0), finite(s.P, 1), finite(s.Q, 1)
	s.MinDetectable, s.MinDetectable3 = finite(s.MinDetectable, 0), finite(s.MinDetectable3, 0)
	s.Evidence.Value = finite(s.Evidence.Value, 0)
	s.History = list(s.History)
	s.Modes = list(s.Modes)
	for i := range s.Modes {
		s.Modes[i].Share = finite(s.Modes[i].Share, 0)
	}
	s.Conditions = slices.Clone(s.Conditions)
	for i := range s.Conditions {
		c := &s.Conditions[i]
		c.Value, c.Limit = finite(c.Value, 0), finite(c.Limit, 0)
	}
	s.Notes = list(s.Notes)
	return s
}

// list is a copy that is never nil.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return slices.Clone(l)
}

// finite is otherwise for what JSON cannot hold.
func finite(f, otherwise float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return otherwise
	}
	return f
}

// encodableTime leaves out a time that a broken clock made up: RFC 3339 has
// four digits for the year.
func encodableTime(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
