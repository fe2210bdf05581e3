package ci

import (
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	if got := modelIn("processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel\t\t: 1\nmodel name\t: AMD EPYC 7763  64-Core Processor\nmodel name\t: other\n"); got != "AMD EPYC 7763 64-Core Processor" {
		t.Errorf("the processor is %q", got)
	}
	if got := memoryIn("MemTotal:       16373876 kB\nMemFree:  1 kB\n"); got != 16373876<<10 {
		t.Errorf("the memory is %d", got)
	}
	for _, bad := range []string{"", "MemTotal:", "MemTotal: x kB", "MemTotal: -1 kB", "MemTotal: 99999999999999 kB"} {
		if got := memoryIn(bad); got != 0 {
			t.Errorf("%q: the memory is %d", bad, got)
		}
	}
	variables := map[string]string{"GITHUB_ACTIONS": "true", "ImageOS": "ubuntu24", "ImageVersion": "20251112.124.1"}
	image, m := Host(func(name string) string { return variables[name] })
	if image != "ubuntu24 20251112.124.1" || m.CPUs < 1 || !m.Plausible() {
		t.Errorf("it is %q, %+v", image, m)
	}
	if image, _ := Host(func(string) string { return "" }); image != "" {
		t.Errorf("an image %q where no runner of GitHub is", image)
	}
}

// FuzzHost fuzzes what a kernel says of a machine.
func FuzzHost(f *testing.F) {
	f.Add("model name\t: a\nMemTotal: 1 kB\n")
	f.Fuzz(func(t *testing.T, text string) {
		if memoryIn(text) < 0 || strings.ContainsAny(modelIn(text), "\n") {
			t.Error("no machine has this")
		}
	})
}
