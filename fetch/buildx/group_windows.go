package buildx

import (
	"os/exec"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A group is a process with all that it starts: a job, which ends with its last
// handle, so that it does not outlive us either.
type group struct {
	cmd *exec.Cmd
	job windows.Handle // 0 if there is none: then the process alone is killed
}

// newGroup prepares cmd to be the first of a group.
func newGroup(cmd *exec.Cmd) *group {
	g := &group{cmd: cmd}
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return g
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		windows.CloseHandle(job)
		return g
	}
	g.job = job
	return g
}

// started takes the process in; what it starts later is in it, too.
func (g *group) started() {
	if g.job == 0 {
		return
	}
	p, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(g.cmd.Process.Pid))
	if err != nil {
		return
	}
	defer windows.CloseHandle(p)
	windows.AssignProcessToJobObject(g.job, p)
}

// kill ends all of them.
func (g *group) kill() error {
	if g.job != 0 {
		windows.TerminateJobObject(g.job, 1)
	}
	return g.cmd.Process.Kill()
}

func (g *group) release() {
	if g.job != 0 {
		windows.CloseHandle(g.job)
	}
}
