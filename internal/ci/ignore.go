package ci

import (
	"bytes"
	"context"
	"path"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// What of a build context is never sent to the builder, .dockerignore says. No record holds
// it: it is read from the commit that was built.

const (
	maxIgnoreFile = 256 << 10 // bytes
	maxPatterns   = 16 << 10  // bytes of all patterns
	// maxMatching is how many bytes of names may be held against bytes of patterns: what
	// that costs at most grows with both.
	maxMatching = 1 << 26
)

// An Ignore tells which files of a checkout a build does not send. The zero value tells
// none.
type Ignore struct {
	folder  string // of the context, "" for the root
	names   []string
	matcher *patternmatcher.PatternMatcher
	size    int  // bytes of its patterns
	unknown bool // there is an ignore file, and more in it than is looked at
}

// ReadIgnore reads what a commit of the checkout around dir says of a build context, a
// folder of it, and a Dockerfile, which may have an ignore file of its own.
func ReadIgnore(ctx context.Context, e Env, dir, revision, folder, dockerfile string) *Ignore {
	revision = strings.TrimSuffix(revision, "-dirty")
	folder = strings.Trim(path.Clean("/"+folder), "/")
	i := &Ignore{folder: folder, names: []string{path.Join(folder, ".dockerignore")}}
	if dockerfile != "" {
		i.names = slices.Insert(i.names, 0, strings.Trim(path.Clean("/"+dockerfile), "/")+".dockerignore")
	}
	if _, _, ok := gitDir(dir); !ok || !commit.MatchString(revision) {
		return i
	}
	ctx, stop := context.WithTimeout(ctx, changedWithin)
	defer stop()
	for _, name := range i.names {
		data, ok := readGit(ctx, e, dir, "cat-file", "blob", revision+":"+name)
		if !ok {
			continue
		}
		i.read(data)
		break
	}
	return i
}

// read takes in an ignore file.
func (i *Ignore) read(data []byte) {
	if i.unknown = len(data) > maxIgnoreFile; i.unknown {
		return
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(data))
	if err != nil {
		return
	}
	for _, pattern := range patterns {
		i.size += len(pattern) + 1
	}
	if i.unknown = i.size > maxPatterns; i.unknown {
		return
	}
	if m, err := patternmatcher.New(patterns); err == nil {
		i.matcher = m
	}
}

// Sent are those of the files that changed between two commits which may be sent. Where
// what is ignored changed as well, that may be any of them. known is false where it would
// take too long to tell, or ctx has ended.
func (i *Ignore) Sent(ctx context.Context, files []string) (sent []string, known bool) {
	if slices.ContainsFunc(files, func(file string) bool { return slices.Contains(i.names, file) }) {
		return files, true
	}
	names := 0
	for _, file := range files {
		names += len(file) + 1
	}
	if i.unknown || names*i.size > maxMatching {
		return nil, false
	}
	if i.matcher == nil {
		return files, true
	}
	sent = slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		if ctx.Err() != nil {
			return false
		}
		inside := file
		if i.folder != "" {
			rest, ok := strings.CutPrefix(file, i.folder+"/")
			if !ok {
				return false
			}
			inside = rest
		}
		ignored, err := i.matcher.MatchesOrParentMatches(inside)
		return err == nil && ignored
	})
	if ctx.Err() != nil {
		return nil, false
	}
	return sent, true
}
