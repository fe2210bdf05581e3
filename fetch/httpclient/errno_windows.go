package httpclient

import "syscall"

// Sockets have numbers of their own, for which package syscall invents others.
const (
	errnoRefused = syscall.Errno(10061) // WSAECONNREFUSED
	errnoReset   = syscall.WSAECONNRESET
)
