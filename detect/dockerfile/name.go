// Package dockerfile knows what the Dockerfile frontend calls the steps of a build, and
// which identity across builds follows from that.
package dockerfile

import (
	"regexp"
	"strconv"
	"strings"
)

// A Name is a step's name taken apart: "[linux/amd64 build  3/12] RUN make".
type Name struct {
	Platform string // "linux/amd64", or "linux/amd64->arm/v7" when it cross-builds
	Stage    string // "build"; "" for an unnamed stage
	Index    int    // 3, or 0 where there is no i/n
	Count    int    // 12
	Text     string // "RUN make"
}

var (
	bracket  = regexp.MustCompile(`^\[([^\[\]]{1,300})\] ?`)
	ratio    = regexp.MustCompile(`^(\d{1,5})/(\d{1,5})$`)
	platform = regexp.MustCompile(`^(?:linux|windows|darwin|freebsd|wasip1|wasi|js)/[a-z0-9_]+(?:/v\d+)?(?:->[a-z0-9_/]+)?$`)
	unnamed  = regexp.MustCompile(`^stage-\d+$`)
)

// ParseName takes apart what the Dockerfile frontend puts in front of an
// instruction: platform, stage and position, each of them optional.
func ParseName(name string) Name {
	m := bracket.FindStringSubmatch(name)
	if m == nil {
		return Name{Text: strings.TrimSpace(name)}
	}
	n := Name{Text: strings.TrimSpace(name[len(m[0]):])}
	fields := strings.Fields(m[1])
	if len(fields) > 0 {
		if r := ratio.FindStringSubmatch(fields[len(fields)-1]); r != nil {
			n.Index, _ = strconv.Atoi(r[1])
			n.Count, _ = strconv.Atoi(r[2])
			fields = fields[:len(fields)-1]
		}
	}
	if len(fields) > 0 && platform.MatchString(fields[0]) {
		n.Platform, fields = fields[0], fields[1:]
	}
	n.Stage = strings.Join(fields, " ")
	if unnamed.MatchString(n.Stage) {
		n.Stage = ""
	}
	return n
}

// Shown is what a step is called where there is little room: its instruction, without
// its place, and without the mounts and the digest of an image that push all else out of
// sight.
func Shown(name string) string { return inTheWay.ReplaceAllString(ParseName(name).Text, "$1") }

var inTheWay = regexp.MustCompile(`@sha256:[0-9a-f]{64}|^(RUN )(?:--mount=\S+ +)+`)

// A Position is where an instruction stands. Line counts from 1; 0 is unknown.
type Position struct {
	File string `json:"file"`
	Line int    `json:"line"`
}
