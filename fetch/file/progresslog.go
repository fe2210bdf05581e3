package file

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A progressLine is one line of --progress=rawjson.
type progressLine struct {
	Vertices []buildkit.Vertex `json:"vertexes"`
	Statuses []buildkit.Status `json:"statuses"`
	Logs     []buildkit.Log    `json:"logs"`
}

// isProgress tells whether data holds a line of progress. Warnings in plain
// text may stand before it.
func isProgress(data []byte) bool {
	const enough = 1000 // lines
	n := 0
	for line := range bytes.Lines(data) {
		if n++; n > enough {
			break
		}
		if line[0] == '{' && formatOfJSON(line) == progressLog {
			return true
		}
	}
	return false
}

// progressLog reads the output of --progress=rawjson, which is not JSON alone:
// buildx prints warnings before it and the reason of a failure after it.
func (d *decoder) progressLog(name string, data []byte) error {
	var p buildkit.Progress
	var meta buildkit.Metadata
	var firstBad error
	bad, n := 0, 0
	for line := range bytes.Lines(data) {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if line[0] != '{' {
			if message, ok := strings.CutPrefix(string(line), "ERROR: "); ok {
				meta.Error = strings.TrimPrefix(strings.TrimPrefix(message, "failed to build: "), "failed to solve: ")
			}
			continue
		}
		if err := progressEvent(&p, line); err != nil {
			if bad++; firstBad == nil {
				firstBad = fmt.Errorf("line %d: %w", n, err)
			}
		}
	}
	if p.Empty() {
		if firstBad != nil {
			return firstBad
		}
		return errors.New("no vertex in it")
	}
	if bad == 1 {
		d.warn(name, firstBad)
	} else if bad > 1 {
		d.warn(name, fmt.Errorf("%w (and %d more lines like it)", firstBad, bad-1))
	}
	meta.Cancelled = strings.HasSuffix(meta.Error, "context canceled")
	builds, warnings := p.Builds(meta)
	return d.add(name, builds, warnings)
}

func progressEvent(p *buildkit.Progress, line []byte) error {
	var event progressLine
	if err := boundjson.Unmarshal(line, &event); err != nil {
		return err
	}
	for _, v := range event.Vertices {
		if err := p.Vertex(v); err != nil {
			return err
		}
	}
	for _, s := range event.Statuses {
		p.Status(s)
	}
	for _, l := range event.Logs {
		p.Log(l)
	}
	return nil
}
