package buildkit

import (
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/fetch"
)

// What of a vertex is its time. BuildKit reports a vertex in several intervals: when it is
// asked for its cache key, when it is loaded, when it runs, when what it left behind is
// fetched at last. Which of them are the work differs by what the vertex is; the table
// below says it for all sources alike. Intervals that overlap count once, and what ended
// before the build began was another build's work.

// A work is what a vertex does, as far as its time goes.
type work int

const (
	execution     work = iota // RUN, and whatever is not known better
	fileOperation             // COPY, ADD, WORKDIR
	imageSource               // FROM, a frontend's image
	ociSource                 // an image in an OCI layout
	httpSource                // ADD of an address
	gitFetch                  //
	localSource               // the context, the Dockerfile, a named context in a folder
	metadata                  // resolving an image's tag, logging in to a registry
	cacheLoading              // the result of any of these, out of a cache
	cacheImporting
	exporting
	cacheExporting
	ofClient
)

// A rule says what of a vertex's work is its time.
type rule struct {
	// attempts tells that those that failed count too, before one that did not.
	attempts bool
	// layers tells that the layers it fetches are an image's: downloading and unpacking
	// them are steps of their own, beside it.
	layers bool
	why    string
}

// rules is the one place that says what the time of a vertex is. That of all is the union
// of its intervals, within the build.
var rules = map[work]rule{
	execution:      {why: "it runs once; an attempt before that failed, or was called off with another build, was thrown away and says nothing of how long it takes"},
	fileOperation:  {why: "as an execution"},
	imageSource:    {attempts: true, layers: true, why: "resolved first, fetched when a step needs it, unpacked layer by layer: each is an interval, all are waited for, and the last is the smallest"},
	ociSource:      {attempts: true, layers: true, why: "as an image"},
	httpSource:     {attempts: true, why: "it downloads while its cache key is asked for; the last interval only finds the file there"},
	gitFetch:       {attempts: true, why: "it fetches while its cache key is asked for, and checks out in the last interval"},
	localSource:    {attempts: true, why: "its key takes no time, the transfer is the second interval; of a context asked for twice both are waited for"},
	metadata:       {attempts: true, why: "each registry and each token that it asks for may be an interval"},
	cacheLoading:   {attempts: true, why: "found in one interval, and its layers fetched in another, when a step or an exporter needs them"},
	cacheImporting: {attempts: true, why: "one interval; a cache that is not there is waited for as well"},
	exporting:      {attempts: true, why: "one interval, of which pushing is a step of its own"},
	cacheExporting: {attempts: true, why: "one interval; if it fails, it was waited for as well"},
	ofClient:       {attempts: true, why: "one interval each"},
}

// workOf tells what a vertex does by its name, and by whether it has inputs: an ADD of an
// address is the name of both the download and of what copies it.
func workOf(info *stepInfo, hasInputs, cached bool) work {
	switch info.kind {
	case clientOnly:
		return ofClient
	case auth:
		return metadata
	case cacheImport:
		return cacheImporting
	case cacheExport:
		return cacheExporting
	case export, push:
		return exporting
	}
	if !hasInputs {
		if w, ok := sourceOf(info.parsed.Text, info.parsed.Stage); ok {
			return w
		}
	}
	if cached {
		return cacheLoading
	}
	switch verb, _, _ := strings.Cut(strings.TrimPrefix(info.parsed.Text, "LINK "), " "); strings.ToUpper(verb) {
	case "COPY", "ADD", "WORKDIR":
		return fileOperation
	}
	return execution
}

// sourceOf tells which kind of source a vertex without inputs is, if it is one.
func sourceOf(text, stage string) (work, bool) {
	verb, rest, _ := strings.Cut(text, " ")
	switch {
	case verb == "FROM", strings.HasPrefix(text, "docker-image://"):
		return imageSource, true
	case strings.HasPrefix(text, "oci-layout://"), strings.HasPrefix(text, "OCI load from client"):
		return ociSource, true
	case strings.HasPrefix(text, "load metadata for "), strings.HasPrefix(text, "resolve image config for "):
		return metadata, true
	case strings.HasPrefix(text, "load git source "), strings.HasPrefix(text, "git://"), isGitAddress(text):
		return gitFetch, true
	case strings.HasPrefix(text, "http://"), strings.HasPrefix(text, "https://"):
		return httpSource, true
	case verb == "ADD" && isGitAddress(firstAddress(rest)):
		return gitFetch, true
	case verb == "ADD" && firstAddress(rest) != "":
		return httpSource, true
	case strings.HasPrefix(text, "load "), strings.HasPrefix(text, "local://"), stage == internalStage, strings.HasPrefix(stage, "context "):
		return localSource, true
	}
	return execution, false
}

// isGitAddress tells an address of a repository from one of a file.
func isGitAddress(text string) bool {
	address, _, _ := strings.Cut(text, "#")
	return strings.HasPrefix(text, "git@") || strings.HasPrefix(text, "ssh://") ||
		strings.HasPrefix(text, "git://") || strings.Contains(text, "://") && strings.HasSuffix(address, ".git")
}

// firstAddress is the first word of an instruction that names another machine.
func firstAddress(words string) string {
	for word := range strings.FieldsSeq(words) {
		if strings.Contains(word, "://") || strings.HasPrefix(word, "git@") {
			return word
		}
		if !strings.HasPrefix(word, "--") {
			break
		}
	}
	return ""
}

// imageOf is the image that a vertex fetches, without its digest.
func imageOf(info *stepInfo) string {
	image := info.parsed.Text
	if image == "OCI load from client" {
		image = strings.TrimPrefix(info.parsed.Stage, "context ")
	}
	for _, before := range []string{"FROM ", "docker-image://", "oci-layout://"} {
		image = strings.TrimPrefix(image, before)
	}
	image, _, _ = strings.Cut(strings.TrimSpace(image), "@")
	return image
}

// pullInfo and unpackInfo are how the steps are called that are parts of fetching an
// image.
func pullInfo(of *stepInfo) stepInfo   { return layerInfo(of, pullStage) }
func unpackInfo(of *stepInfo) stepInfo { return layerInfo(of, unpackStage) }

func layerInfo(of *stepInfo, stage string) stepInfo {
	image := imageOf(of)
	info := stepInfo{kind: internal, name: fetch.Clean(stage+" "+image, MaxName)}
	info.parsed = dockerfile.Name{Platform: of.parsed.Platform, Stage: stage, Text: info.name}
	info.key, info.cut = shortKey(dockerfile.Key(of.parsed.Platform, stage, stage+" "+withoutTag(image)))
	return info
}

// unmoved tells whether an image of which no layer is seen to move was found where it was
// needed. Traces may lack the spans of layers: what takes longer than this moved some.
func unmoved(took time.Duration) bool { return took < 100*time.Millisecond }
