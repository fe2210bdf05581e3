package ci

import (
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// Host tells what the machine is that we run on, as far as that is known: the image that a
// runner of GitHub was made from, and the hardware.
func Host(e Env) (image string, m timeline.Machine) {
	if OnGitHub(e) {
		image = fetch.Clean(strings.TrimSpace(e("ImageOS")+" "+e("ImageVersion")), timeline.MaxFact)
	}
	m.CPUs = float64(runtime.NumCPU())
	m.Model = modelIn(start("/proc/cpuinfo"))
	m.Memory = memoryIn(start("/proc/meminfo"))
	return image, m
}

// start is the beginning of a file, "" where there is none.
func start(path string) string {
	const enough = 16 << 10
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, enough))
	return string(data)
}

// modelIn is the name of the first processor in /proc/cpuinfo.
func modelIn(text string) string {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return fetch.Clean(strings.Join(strings.Fields(value), " "), timeline.MaxFact)
		}
	}
	return ""
}

// memoryIn is the size of the memory in /proc/meminfo, in bytes.
func memoryIn(text string) int64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err == nil && kilobytes > 0 && kilobytes < 1<<40 {
				return kilobytes << 10
			}
		}
	}
	return 0
}
