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
	maxPatterns   = 2000
)

// An Ignore tells which files of a checkout a build does not send. The zero value tells
// none.
type Ignore struct {
	folder  string // of the context, "" for the root
	names   []string
	matcher *patternmatcher.PatternMatcher
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
	if len(data) > maxIgnoreFile {
		return
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(data))
	if err != nil || len(patterns) > maxPatterns {
		return
	}
	if m, err := patternmatcher.New(patterns); err == nil {
		i.matcher = m
	}
}

// Sent are those of the files that changed between two commits which may be sent. Where
// what is ignored changed as well, that may be any of them.
func (i *Ignore) Sent(files []string) []string {
	if i.matcher == nil || slices.ContainsFunc(files, func(file string) bool { return slices.Contains(i.names, file) }) {
		return files
	}
	return slices.DeleteFunc(slices.Clone(files), func(file string) bool {
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
}
