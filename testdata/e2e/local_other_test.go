//go:build !linux

package e2e

import (
	"syscall"
	"testing"
)

// startLocal would start BuildKit, which runs on Linux alone.
func (s *stack) startLocal(t *testing.T) {
	t.Helper()
	t.Fatal("the stack needs Docker with Buildx (is the daemon running?); without it, Linux")
}

func endWithUs(*syscall.SysProcAttr) {}
