package buildx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

const (
	maxStderr = 16 << 10 // bytes kept of the end of what a command writes there
	// grace is how long a command that was killed may hold on to its output, which
	// a process that it started may have inherited and kept.
	grace = 2 * time.Second
)

// commands are the ways to call Buildx that are on the PATH. None found in the
// working directory is taken: that is the pull request's.
func commands() [][]string {
	var ways [][]string
	if docker, err := exec.LookPath("docker"); err == nil {
		ways = append(ways, []string{docker, "buildx"})
	}
	if buildx, err := exec.LookPath("buildx"); err == nil {
		ways = append(ways, []string{buildx})
	}
	return ways
}

// run runs a command without a shell and returns its output, which is an error if
// it is more than most bytes. When ctx ends, the command and all that it started
// are killed.
func run(ctx context.Context, most int, command []string) ([]byte, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out, stderr := &output{most: most, full: stop}, &tail{most: maxStderr}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = out, stderr
	cmd.WaitDelay = grace
	group := newGroup(cmd)
	defer group.release()
	cmd.Cancel = group.kill
	err := cmd.Start()
	if err == nil {
		group.started()
		err = cmd.Wait()
	}
	switch {
	case out.tooMuch:
		return nil, fmt.Errorf("docker buildx history: %w: more than %d MiB", errTooMuch, most>>20)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, new(*exec.ExitError)):
		return nil, commandError(stderr.data)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return nil, fmt.Errorf("%w: %w", ErrBuilder, err)
	// An old Buildx answers an unknown command with its help.
	case bytes.Contains(out.data.Bytes()[:min(out.data.Len(), 1<<10)], []byte("\nUsage:")):
		return nil, ErrOld
	}
	return out.data.Bytes(), nil
}

// errTooMuch tells that a command writes more than is taken in.
var errTooMuch = errors.New("too much")

// output keeps what is written to it, up to a bound at which it calls full.
type output struct {
	data    bytes.Buffer
	most    int
	full    func()
	tooMuch bool
}

func (o *output) Write(p []byte) (int, error) {
	if o.data.Len()+len(p) > o.most {
		o.tooMuch = true
		o.full()
		return 0, errTooMuch
	}
	return o.data.Write(p)
}

// tail keeps the end of what is written to it.
type tail struct {
	data []byte
	most int
}

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - t.most; over > 0 {
		t.data = append(t.data[:0], t.data[over:]...)
	}
	return len(p), nil
}
