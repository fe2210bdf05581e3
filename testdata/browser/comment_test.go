package browser

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	htmlrenderer "github.com/yuin/goldmark/renderer/html"
)

// The style of GitHub's own pages, as npm has it, and the checksum of its archive.
const (
	githubStyle    = "github-markdown-css@5.9.0"
	githubStyleSum = "tmT5sY+zvg2302XLYEfH2mtkViIM1SWf2nvYoF5N1ZsO0V6B2qZTiw3GOzw4vpjLygK/KG35qRlPFweHqfzz5w=="
)

// commentPage is the comment that the README quotes, which is one that is posted, as wide as
// GitHub shows it.
func commentPage(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- comment -->\n")
	var comment strings.Builder
	for line := range strings.Lines(rest) {
		said, quoted := strings.CutPrefix(line, ">")
		if !quoted {
			break
		}
		comment.WriteString(strings.TrimPrefix(said, " "))
	}
	if comment.Len() == 0 {
		t.Fatal("README.md quotes no comment")
	}
	var body bytes.Buffer
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(htmlrenderer.WithUnsafe()))
	if err := markdown.Convert([]byte(comment.String()), &body); err != nil {
		t.Fatal(err)
	}
	const frame = ".markdown-body { box-sizing: border-box; max-width: 860px; padding: 16px; font-size: 14px }"
	return "<!DOCTYPE html><meta charset=utf-8><style>" + npmFile(t, githubStyle, githubStyleSum, "github-markdown.css") + frame + "</style><body class=markdown-body>" + body.String()
}
