package file

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/fetch"
)

// Archives are unpacked in memory only: no name in them ever becomes a path.

var errUnpacked = fmt.Errorf("unpacks to more than %d MiB", MaxFile>>20)

// unpack reads all that open gives, as far as the budget of the file goes. It
// unpacks twice, the first time only to count: a bomb takes no memory, and all
// else no more than it must. What is unpacked in vain uses up the budget too.
func (d *decoder) unpack(open func() (io.ReadCloser, error)) ([]byte, error) {
	size, err := d.unpackedSize(open)
	if size > d.left {
		d.left = 0
		return nil, errUnpacked
	}
	d.left -= size
	if err != nil {
		return nil, err
	}
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data := make([]byte, size)
	_, err = io.ReadFull(canceller{d.ctx, r}, data)
	return data, err
}

// unpackedSize counts what open gives, as far as it shows that the budget is spent.
func (d *decoder) unpackedSize(open func() (io.ReadCloser, error)) (int64, error) {
	r, err := open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(io.Discard, io.LimitReader(canceller{d.ctx, r}, d.left+1))
}

func (d *decoder) gunzip(name string, data []byte, depth int) error {
	content, err := d.unpack(func() (io.ReadCloser, error) { return gzip.NewReader(bytes.NewReader(data)) })
	if err != nil {
		return decodeError(name, cutOff(err))
	}
	return d.decode(name, content, depth+1)
}

func (d *decoder) unzip(name string, data []byte, depth int) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return decodeError(name, cutOff(err))
	}
	if len(z.File) > MaxMembers {
		return decodeError(name, fmt.Errorf("more than %d members", MaxMembers))
	}
	files := slices.DeleteFunc(z.File, func(f *zip.File) bool { return f.FileInfo().IsDir() })
	_, err = d.members(name, len(files), func(i int) error { return d.unzipMember(name, files[i], depth) })
	return err
}

// members reads the n members of an archive, or records of a layout, that is called
// name, and returns how many could be read. What is wrong with others is a warning
// then, and an error if none could.
func (d *decoder) members(name string, n int, read func(i int) error) (good int, err error) {
	var bad []error
	for i := range n {
		err := read(i)
		if d.isFatal(err) {
			return good, err
		}
		if err != nil {
			bad = append(bad, err)
			continue
		}
		good++
	}
	if good == 0 && len(bad) > 0 {
		return 0, decodeError(name, errors.Join(bad...))
	}
	for _, err := range bad {
		d.warn(name, err)
	}
	return good, nil
}

func (d *decoder) unzipMember(name string, f *zip.File, depth int) error {
	member := name + "/" + printable(f.Name)
	content, err := d.unpack(f.Open)
	if err != nil {
		return decodeError(member, cutOff(err))
	}
	return d.decode(member, content, depth+1)
}

// untar reads a tar, which is always an image layout.
func (d *decoder) untar(name string, data []byte) error {
	members := map[string][]byte{}
	source := bytes.NewReader(data)
	t := tar.NewReader(source)
	for d.ctx.Err() == nil {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return decodeError(name, cutOff(err))
		}
		if len(members) == MaxMembers {
			return decodeError(name, fmt.Errorf("more than %d members", MaxMembers))
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		// A member's bytes follow its header, so that none needs a copy. Sparse
		// members, whose bytes would not, are told by their size.
		at := int64(len(data)) - int64(source.Len())
		if h.Size < 0 || h.Size > int64(len(data))-at {
			return decodeError(name, fmt.Errorf("member %s: %w", printable(h.Name), cutOff(io.ErrUnexpectedEOF)))
		}
		members[path.Clean(h.Name)] = data[at : at+h.Size]
	}
	return d.layout(name, members)
}

// cutOff says in plain words that the input ends too early.
func cutOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("cut off: it ends in the middle")
	}
	return err
}

// printable is a member's name fit for a message.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
	return fetch.Cut(name, 200)
}
