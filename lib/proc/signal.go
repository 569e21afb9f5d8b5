package proc

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// RestoreSignals gives every signal that is ignored its default effect again,
// and unblocks all in the thread, to be called right before that thread executes
// a command. A shell starts background jobs with SIGINT and SIGQUIT ignored,
// nohup(1) with SIGHUP, and a careless parent with SIGUSR1 blocked; unlike
// handlers that passes on through execve(2), to programs that expect none of it.
// Go's signal.Reset restores what it found, so this asks the kernel itself.
func RestoreSignals() {
	unignore()
	// It can only fail for a bad argument.
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
}

func unignore() {
	// struct sigaction as the kernel has it, see rt_sigaction(2).
	type action struct {
		handler  uintptr // 0 is SIG_DFL, 1 SIG_IGN
		flags    uint64
		restorer uintptr
		mask     uint64
	}
	const last = 64
	for sig := uintptr(1); sig <= last; sig++ {
		var now, deflt action
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&now)), unsafe.Sizeof(now.mask), 0, 0)
		if errno == 0 && now.handler == 1 {
			// SIGKILL and SIGSTOP are never ignored, so this cannot fail.
			_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&deflt)), 0, unsafe.Sizeof(now.mask), 0, 0)
		}
	}
}
