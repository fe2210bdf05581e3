package buildkit

import (
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What is written of a cache has no span in a trace: requests tell to where, for how long,
// and whether all of it could be written.
func TestCachesInTrace(t *testing.T) {
	const registry, github = "reg:5000/v2/cache", "results.example.com/twirp/github.actions.results.api.v1.CacheService"
	request := func(id, method, url string, from, to float64, message string) Span {
		s := span(id, "s", "HTTP "+method, KindClient, from, to)
		s.Method, s.URL, s.Message, s.Failed = method, url, message, message != ""
		return s
	}
	call := func(id string, kind Kind, from, to float64, message string) Span {
		s := span(id, "s", "containerd.services.content.v1.Content/Write", kind, from, to)
		s.Message, s.Failed = message, message != ""
		return s
	}
	side := func(of string, from, to float64) Span {
		s := call("of"+of, KindServer, from, to, "")
		s.Parent = of
		return s
	}
	head := request("h", "HEAD", registry+"/blobs/sha256:1", 5, 6, "404 Not Found")
	put := request("p", "PUT", registry+"/blobs/uploads/1", 6, 9, "")
	manifest := request("m", "PUT", registry+"/manifests/latest", 9, 10, "")
	for name, tt := range map[string]struct {
		spans []Span
		want  string
	}{
		"nothing":           {nil, ""},
		"a registry":        {[]Span{head, put, manifest}, "exporting cache to registry executed 6s"},
		"one that refuses":  {[]Span{head, put, request("q", "PUT", registry+"/blobs/uploads/2", 7, 8, "403 Forbidden")}, "exporting cache to registry failed 5s 403 Forbidden"},
		"one that did once": {[]Span{request("q", "POST", registry+"/blobs/uploads/2", 5, 6, "401 Unauthorized"), put, manifest}, "exporting cache to registry executed 6s"},
		"a folder": {
			[]Span{call("a", KindClient, 5, 10, "context canceled"), side("a", 5, 6), call("b", KindClient, 6, 10, "context canceled"), side("b", 6, 8)},
			"exporting cache to client directory executed 4s",
		},
		"a folder, by a client that is not traced": {
			[]Span{call("a", KindClient, 5, 10, "context canceled"), call("b", KindClient, 7, 10, "context canceled")},
			"exporting cache to client directory executed 3s",
		},
		"none":                 {[]Span{call("a", KindClient, 5, 7, "not a directory")}, "exporting cache to client directory failed 3s not a directory"},
		"a file of the client": {[]Span{span("o", "s", "exporting to oci image format", KindInternal, 4, 10), func() Span { c := call("a", KindClient, 5, 10, ""); c.Parent = "o"; return c }()}, ""},
		"GitHub":               {[]Span{request("g", "POST", github+"/CreateCacheEntry", 5, 6, ""), request("f", "POST", github+"/FinalizeCacheEntryUpload", 6, 7, "")}, "exporting to GitHub Actions Cache executed 3s"},
		"GitHub refuses":       {[]Span{request("g", "POST", github+"/CreateCacheEntry", 5, 6, ""), request("f", "POST", github+"/FinalizeCacheEntryUpload", 6, 7, "429")}, "exporting to GitHub Actions Cache failed 3s 429"},
		"both": {
			[]Span{head, put, manifest, call("a", KindClient, 5, 7, "not a directory")},
			"exporting cache to registry executed 6s, exporting cache to client directory failed 3s not a directory",
		},
	} {
		list, _ := Builds(append([]Span{
			span("s", "", solveMethod, KindServer, 1, 11), step("v1", "s", "[1/1] RUN a", 1, 3), span("e", "s", "exporting to image", KindInternal, 3, 4),
		}, tt.spans...))
		if len(list) != 1 || list[0].Outcome != timeline.OK {
			t.Errorf("%s: %+v", name, list)
			continue
		}
		var got []string
		for _, s := range list[0].Steps {
			if s.Stage == cacheExportStage {
				got = append(got, strings.TrimSpace(s.Name+" "+s.State.String()+" "+s.Duration.Round(time.Second).String()+" "+s.Error))
			}
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
