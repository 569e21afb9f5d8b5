package proc

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Do calls f with the user's rights on files (setfsuid(2)) and those of its
// groups, on a thread of its own, which ends with it. For what f opens by name
// the kernel asks what the user may do, and not what we may. It needs root.
func (u User) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread goes with the goroutine
		done <- u.doHere(f)
	}()
	return <-done
}

// doHere changes this thread. The raw calls are for it alone; those of package
// syscall would change all.
func (u User) doHere(f func() error) error {
	groups := make([]uint32, len(u.Groups)+1)
	for i, gid := range u.Groups {
		groups[i] = uint32(gid)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(u.Groups)), uintptr(unsafe.Pointer(&groups[0])), 0); errno != 0 {
		return fmt.Errorf("take the groups of user %d: %w", u.UID, errno)
	}
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, uintptr(u.GID), 0, 0) // it answers the one before, and no error
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(u.UID), 0, 0)
	gid, _, _ := unix.RawSyscall(unix.SYS_SETFSGID, ^uintptr(0), 0, 0) // one that cannot be changes nothing
	uid, _, _ := unix.RawSyscall(unix.SYS_SETFSUID, ^uintptr(0), 0, 0)
	if int(uid) != u.UID || int(gid) != u.GID {
		return fmt.Errorf("take the rights of user %d, group %d on files: got %d and %d", u.UID, u.GID, uid, gid)
	}
	return f()
}
