package main

import (
	"os"
	"strings"
	"testing"
)

// The picture of a result in the README is what its first command prints.
func TestReadmeShowsWhatIsPrinted(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	between := func(from, to string) string {
		_, rest, ok := strings.Cut(readme, from)
		text, _, found := strings.Cut(rest, to)
		if !ok || !found {
			t.Fatalf("README.md has no %q … %q", from, to)
		}
		return text
	}
	picture := between("```text\n", "```\n")
	command := strings.Fields(between("<!-- run -->\n```sh\ngo run . ", "\n```\n"))
	_, printed := inProcess(t, command...)
	if !strings.HasPrefix(printed, picture) {
		t.Errorf("README.md shows\n%s\nbut buildregress %s prints\n%s", picture, strings.Join(command, " "), printed)
	}
}
