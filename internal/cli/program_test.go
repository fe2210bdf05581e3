package cli

import (
	"flag"
	"path/filepath"
)

var update = flag.Bool("update", false, "rewrite the README's comment and the action's inputs")

// root is the folder of the repository, from wherever a test goes on.
var root = func() string {
	path, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return path
}()
