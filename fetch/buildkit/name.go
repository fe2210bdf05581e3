package buildkit

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// A kind is what sort of work a vertex is.
type kind int

const (
	instruction kind = iota // a line of the Dockerfile, or LLB that some other frontend made
	internal                // what a frontend needs: definition, context, metadata, its own image
	auth
	export
	push
	cacheImport
	cacheExport
	clientOnly // work of buildx itself, which neither records nor traces know
)

// Stages and texts of the phases that have no digest of their own in a trace.
const (
	exportStage      = timeline.StageExport
	pushStage        = timeline.StagePush
	cacheImportStage = "cache import"
	cacheExportStage = timeline.StageCacheExport
	internalStage    = timeline.StageInternal
	clientStage      = "client"
	pullStage        = timeline.StagePull
	unpackStage      = timeline.StageUnpack

	pushText        = "pushing to registry"
	cacheImportText = "importing cache manifest"
	cacheExportName = "exporting cache to registry"
	folderCacheName = "exporting cache to client directory"
	githubCacheName = "exporting to GitHub Actions Cache"
	cacheExportID   = "cache-export"
)

// clientNames begin the names of vertices that buildx adds to the progress. Those that
// are true work; of the others only what takes longer than leastClient is worth a step.
var clientNames = map[string]bool{
	"importing to docker": true, "merging manifest list": true, "pulling ": true, "[internal] pushing ": true,
	"[internal] booting buildkit": true, "[internal] load remote bake definition": true,
	"resolving provenance": false, "[internal] load local bake definitions": false, "[internal] waiting for": false,
	"[internal] connecting to ": false, "[internal] reading bake": false,
}

// leastClient is what a vertex of the client has to take to be a step; those that work by
// their name have to take leastClientWork only, lest only the slow ones are remembered.
const (
	leastClient     = 100 * time.Millisecond
	leastClientWork = 5 * time.Millisecond
)

// clientText is what the client does, without what it does it to: a tag, a file.
func clientText(name string) string {
	for client := range clientNames {
		if strings.HasPrefix(name, client) {
			return dockerfile.ParseName(strings.TrimSpace(client)).Text
		}
	}
	return name
}

// isStep tells whether a vertex of the client is worth a step.
func isStep(name string, took time.Duration) bool {
	for client, works := range clientNames {
		if works && strings.HasPrefix(name, client) {
			return took >= leastClientWork
		}
	}
	return took >= leastClient
}

// kindOf tells what sort of work a vertex or an exporter's span is by its name.
func kindOf(name string) kind {
	for client := range clientNames {
		if strings.HasPrefix(name, client) {
			return clientOnly
		}
	}
	switch {
	case strings.HasPrefix(name, "importing cache manifest"):
		return cacheImport
	case isCacheExport(name):
		return cacheExport
	case strings.HasPrefix(name, "exporting to "):
		return export
	case strings.HasPrefix(name, "[auth]"):
		return auth
	case strings.HasPrefix(name, "docker-image://"), strings.HasPrefix(name, "resolve image config for "):
		return internal
	}
	if stage := dockerfile.ParseName(name).Stage; stage == internalStage || strings.HasPrefix(stage, "context ") {
		return internal
	}
	return instruction
}

// cacheExportNames begin the names of cache exporters and of what they do. That for
// GitHub is called like an exporter.
var cacheExportNames = []string{
	"exporting cache", "exporting inline cache", "exporting content cache", "exporting to GitHub Actions Cache",
	"preparing build cache", "preparing layers for inline cache", "writing cache ",
}

// isCacheExport tells whether a vertex or a span writes a cache. No image is called one.
func isCacheExport(name string) bool {
	for _, begin := range cacheExportNames {
		if strings.HasPrefix(name, begin) {
			return true
		}
	}
	return strings.HasPrefix(name, "exporting to ") && strings.HasSuffix(strings.ToLower(name), " cache")
}

// A stepInfo is how a step is called: its name, and what follows from it.
type stepInfo struct {
	kind       kind
	name       string
	key        string
	parsed     dockerfile.Name
	dockerfile bool   // an instruction of a Dockerfile, "[stage i/n]"
	body, text string // see detect.Step
	cut        bool   // the key was too long
	salted     bool   // the name has something in front that changes with each build
}

var (
	imageTag = regexp.MustCompile(`(docker-image://|metadata for |image config for )(\S*?/)?([^/\s:@]+)(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?(\s|$)`)
	gitRef   = regexp.MustCompile(`(git source \S+?)#(\S*)`)
)

// stepInfoOf reads a vertex name. text is the instruction as the Dockerfile has
// it, "" if that is not known.
func stepInfoOf(name, text string) stepInfo {
	name, salted := withoutSalt(name)
	name = fetch.Clean(name, MaxName)
	if strings.TrimSpace(name) == "" {
		name = "unnamed"
	}
	info := stepInfo{kind: kindOf(name), name: name, parsed: dockerfile.ParseName(name), salted: salted}
	info.dockerfile = info.parsed.Count > 0
	keyText := info.parsed.Text
	switch info.kind {
	case instruction:
		info.body = bodyOf(keyText, text)
		keyText = unexpanded(fetch.Clean(text, MaxName), keyText)
	case internal:
		if info.parsed.Stage == "" {
			info.parsed.Stage = internalStage
		}
		// Which version of an image is asked for, or which ref of a repository,
		// changes between builds; that it is asked for does not.
		keyText = imageTag.ReplaceAllString(keyText, "$1$2$3:<version>$4")
		keyText = gitRef.ReplaceAllString(keyText, "$1")
	case export:
		info.parsed.Stage = exportStage
	case cacheImport:
		info.parsed.Stage = cacheImportStage
		info.name = withoutTag(name)
		keyText = cacheImportText
	case cacheExport:
		info.parsed.Stage = cacheExportStage
	case clientOnly:
		info.parsed.Stage = clientStage
		keyText = clientText(name)
	}
	info.text = textBeside(text, &info, keyText)
	info.key, info.cut = shortKey(dockerfile.Key(info.parsed.Platform, info.parsed.Stage, keyText))
	return info
}

// textBeside is the text of an instruction, as far as its name and its key do not tell it.
func textBeside(text string, info *stepInfo, keyText string) string {
	text = fetch.Clean(strings.Join(strings.Fields(text), " "), MaxName)
	told := strings.Join(strings.Fields(info.parsed.Text), " ")
	verb, _, _ := strings.Cut(text, " ")
	shown, _, _ := strings.Cut(told, " ")
	if info.kind != instruction || text == told || !strings.EqualFold(verb, shown) || strings.HasSuffix(dockerfile.Key("", "", keyText), "] "+text) {
		return ""
	}
	return text
}

// shortKey cuts a key that is too long, in such a way that no two become one.
func shortKey(key string) (short string, cut bool) {
	if len(key) <= MaxName {
		return key, false
	}
	sum := sha256.Sum256([]byte(key))
	mark := " " + hex.EncodeToString(sum[:6])
	return fetch.Cut(key, MaxName-len(mark)) + mark, true
}

// bodyOf is a hash of the text of an instruction whose name abridges it: what is between
// "<<EOT" and "EOT". Versions, hashes and the like in it do not count.
func bodyOf(shown, text string) string {
	if !isHeredoc(shown) || !isHeredoc(text) {
		return ""
	}
	sum := sha256.Sum256([]byte(dockerfile.Key("", "", text)))
	return hex.EncodeToString(sum[:8])
}

// isHeredoc tells whether an instruction has a heredoc, by BuildKit's own rule: a word
// that begins with "<<" and says by what it ends.
func isHeredoc(instruction string) bool { return heredocWord.MatchString(instruction) }

var heredocWord = regexp.MustCompile(`(?:^|\s)\d*<<-?["']?[A-Za-z_][^\s<]*(?:\s|$)`)

// unexpanded is the instruction with its variables as they stand in the text,
// which changes with the Dockerfile only, if that is the one shown, else as it
// is shown. Of a heredoc the text has the body too, which the name abridges.
func unexpanded(text, shown string) string {
	words := strings.Fields(text)
	verb, _, _ := strings.Cut(shown, " ")
	if len(words) < 2 || !strings.EqualFold(words[0], verb) || !strings.Contains(text, "$") || strings.Contains(text, "<<") {
		return shown
	}
	if !strings.EqualFold(verb, "FROM") {
		return text
	}
	// The name of a FROM shows the image alone.
	for _, word := range words[1:] {
		if strings.HasPrefix(word, "--") {
			continue
		}
		if strings.Contains(word, "$") {
			return verb + " " + word
		}
		break
	}
	return shown
}

// withoutTag drops tag and digest of the image reference that ends name.
func withoutTag(name string) string {
	name, _, _ = strings.Cut(name, "@")
	slash := strings.LastIndexByte(name, '/')
	if colon := strings.LastIndexByte(name, ':'); colon > slash {
		return name[:colon]
	}
	return name
}

var hexDigits = regexp.MustCompile(`^[0-9a-f]{12}`)

// shortID abridges a digest to what is enough within one build. What is no
// digest, which no builder sends, gets one.
func shortID(digest string) string {
	_, digits, _ := strings.Cut(digest, ":")
	if short := hexDigits.FindString(digits); short != "" {
		return short
	}
	sum := sha256.Sum256([]byte(digest))
	return hex.EncodeToString(sum[:6])
}
