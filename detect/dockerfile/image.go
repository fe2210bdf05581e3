package dockerfile

import "strings"

// IsImage tells of the text of a step whether it fetches an image and unpacks it: what a stage
// is made from, what is copied from, or a frontend.
func IsImage(text string) bool {
	return strings.HasPrefix(text, "FROM ") || strings.HasPrefix(text, "docker-image://")
}

// IsResolving tells of the text of a step whether it asks a registry about an image.
func IsResolving(text string) bool {
	return strings.HasPrefix(text, "load metadata for ") || strings.HasPrefix(text, "resolve image config for ")
}
