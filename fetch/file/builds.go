package file

import (
	"bytes"

	"github.com/buildregress/buildregress/fetch/builds"
)

// buildsFile reads a builds file; bad lines are warnings if any line is good.
func (d *decoder) buildsFile(name string, data []byte) error {
	list, err := builds.Decode(canceller{d.ctx, bytes.NewReader(data)}, name)
	if len(list) == 0 {
		// Others have steps, too.
		if h, ok := jsonHint(bytes.TrimSpace(data)); ok {
			return h.error()
		}
		return err
	}
	if err != nil {
		d.warnings = append(d.warnings, err)
	}
	return d.add(name, list, nil)
}
