//go:build unix

package buildx

import (
	"os/exec"
	"syscall"
)

// A group is a process with all that it starts.
type group struct{ cmd *exec.Cmd }

// newGroup prepares cmd to be the first of a group.
func newGroup(cmd *exec.Cmd) *group {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &group{cmd}
}

func (g *group) started() {}

// kill ends all of them.
func (g *group) kill() error { return syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) }

func (g *group) release() {}
