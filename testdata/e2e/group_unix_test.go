//go:build unix

package e2e

import (
	"os"
	"syscall"
)

// ownGroup puts a process into a group of its own.
func ownGroup() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	endWithUs(a)
	return a
}

// interruptGroup interrupts a group, as Ctrl-C does in a terminal: docker leaves it
// to that to reach its plugin.
func interruptGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGINT) }

// endGroup kills what is left of a group.
func endGroup(pid int) { syscall.Kill(-pid, syscall.SIGKILL) }
