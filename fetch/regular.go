package fetch

import (
	"errors"
	"io/fs"
	"os"
)

// OpenRegular opens a file that is to hold a few settings. A pipe or a device in its
// place could block, or never end: it is refused.
func OpenRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("no regular file")}
	}
	return os.Open(path)
}
