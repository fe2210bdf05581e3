package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// daemon runs a program until the test ends, or stop is called: it is asked to end,
// and killed if it does not listen. kill ends it at once.
func (s *stack) daemon(t *testing.T, env []string, command ...string) (stop, kill func()) {
	t.Helper()
	name := filepath.Base(command[0])
	path := filepath.Join(s.dir, name+".log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = s.dir, append(slices.Clip(s.env), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	kill = func() {
		cmd.Process.Kill()
		<-ended
	}
	stop = func() {
		if cmd.Process.Signal(os.Interrupt) != nil { // it has ended, or this is Windows
			kill()
		}
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Errorf("%s does not end: killed", name)
			kill()
		}
		endGroup(cmd.Process.Pid)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said last:\n%s", name, tailOf(path))
		}
		stop()
	})
	return stop, kill
}
