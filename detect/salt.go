package detect

import (
	"slices"
	"strings"
)

// Some programs that build with BuildKit put a word of its own for each build in front of
// its steps: "[+build 7c6361326cc0] RUN make". No key of theirs is in any other build. A
// word of a stage is taken for such a salt if no other build has it, and all builds have
// one: a stage that is new is new in one build only.

// salt stands for the words that are of one build alone.
const salt = "<salt>"

// withoutSalt returns the build and its history with stages and keys that are the same in
// all builds. Where there are no salts, which a look at the newest build mostly tells,
// these are the same; neither is changed.
func withoutSalt(build *Build, h *History) (*Build, *History) {
	const least = 3 // builds, of which a word in one alone says something
	if len(h.Base) < least || !hasOwn(stageWords(build), stageWords(&h.Base[0])) {
		return build, h
	}
	const sparse = 2
	lists := [][]Build{{*build}, h.Base, sparse: h.Sparse, h.Other, h.Branch}
	builds := map[string]int{} // that have a word
	for _, list := range lists {
		for i := range list {
			for word := range stageWords(&list[i]) {
				builds[word]++
			}
		}
	}
	once := func(word string) bool { return builds[word] == 1 }
	for l, list := range lists {
		for i := range list {
			// Of sparse builds only those steps are left that others have.
			if l != sparse && !hasSalt(stageWords(&list[i]), once) {
				return build, h
			}
		}
	}
	for i := range lists {
		lists[i] = slices.Clone(lists[i])
		for k := range lists[i] {
			lists[i][k].Steps = unsalted(lists[i][k].Steps, once)
		}
	}
	plain := *h
	plain.Base, plain.Sparse, plain.Other, plain.Branch = lists[1], lists[sparse], lists[3], lists[4]
	return &lists[0][0], &plain
}

// unsalted are the steps with a placeholder for words of their stages.
func unsalted(steps []Step, isSalt func(word string) bool) []Step {
	steps = slices.Clone(steps)
	for i := range steps {
		s := &steps[i]
		words := strings.Fields(s.Stage)
		for k, word := range words {
			if isSalt(word) {
				words[k] = salt
			}
		}
		if stage := strings.Join(words, " "); stage != s.Stage {
			s.Key = strings.Replace(s.Key, s.Stage+"] ", stage+"] ", 1)
			s.Stage = stage
		}
	}
	return steps
}

// stageWords are those of the names of a build's stages.
func stageWords(b *Build) map[string]bool {
	words, stage := map[string]bool{}, ""
	for i := range b.Steps {
		if s := &b.Steps[i]; s.Stage != stage {
			stage = s.Stage
			for word := range strings.FieldsSeq(stage) {
				words[word] = true
			}
		}
	}
	return words
}

func hasSalt(words map[string]bool, isSalt func(word string) bool) bool {
	for word := range words {
		if isSalt(word) {
			return true
		}
	}
	return false
}

// hasOwn tells whether some words are not among others.
func hasOwn(words, others map[string]bool) bool {
	for word := range words {
		if !others[word] {
			return true
		}
	}
	return false
}
