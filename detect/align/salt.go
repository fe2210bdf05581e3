package align

import (
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Some programs that build with BuildKit put a word of its own for each build in front of
// its steps: "[+build 7c6361326cc0] RUN make". No key of theirs is in any other build. A
// word of a stage is taken for such a salt if no other build has it, and all builds have
// one: a stage that is new is new in one build only.

// salt stands for the words that are of one build alone.
const salt = "<salt>"

// WithoutSalt returns lists of builds with stages and keys that are the same in all builds.
// The first two builds of the first list are the newest, and sparse is the index of the list
// of whose builds only some steps are left, -1 for none. Where there are no salts, which a
// look at the newest builds mostly tells, these are the same; the builds are not changed.
func WithoutSalt(sparse int, lists ...[]timeline.Build) [][]timeline.Build {
	const least = 4 // builds, of which a word in one alone says something
	if len(lists[0]) < least || !MayHaveSalt(lists[0]) {
		return lists
	}
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
				return lists
			}
		}
	}
	plain := make([][]timeline.Build, len(lists))
	for l := range lists {
		plain[l] = slices.Clone(lists[l])
		for i := range plain[l] {
			plain[l][i].Steps = unsalted(plain[l][i].Steps, once)
		}
	}
	return plain
}

// MayHaveSalt tells of builds, newest first, whether their stages may hold words of one build
// alone, by the first two.
func MayHaveSalt(newest []timeline.Build) bool {
	return len(newest) > 1 && hasOwn(stageWords(&newest[0]), stageWords(&newest[1]))
}

// unsalted are the steps with a placeholder for words of their stages.
func unsalted(steps []timeline.Step, isSalt func(word string) bool) []timeline.Step {
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
func stageWords(b *timeline.Build) map[string]bool {
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
