package fetch

import "testing"

func TestMergeQueueTarget(t *testing.T) {
	for _, tt := range []struct {
		branch, want string
		ok           bool
	}{
		{"gh-readonly-queue/main/pr-7-3f9c2ab", "main", true},
		{"gh-readonly-queue/release/1.x/pr-7-3f9c2ab", "release/1.x", true},
		{"gh-readonly-queue/a/pr-1/pr-7-3f9c2ab", "a/pr-1", true},
		{"gh-readonly-queue/main/other", "", false},
		{"gh-readonly-queue//pr-7-3f9c2ab", "", false},
		{"gh-readonly-queue/", "", false},
		{"main/pr-7-3f9c2ab", "", false},
		{"", "", false},
	} {
		if got, ok := MergeQueueTarget(tt.branch); got != tt.want || ok != tt.ok {
			t.Errorf("MergeQueueTarget(%q) = %q, %v, want %q, %v", tt.branch, got, ok, tt.want, tt.ok)
		}
	}
}
