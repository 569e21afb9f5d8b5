package proc

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// inheritedVariable tells a successor the numbers of the files that it was
// handed, as NAME=NUMBER separated by commas.
const inheritedVariable = "PASSENGER_INHERITED"

// Succeed replaces this program by the one at path (execve(2)), with the same
// arguments and environment: the process keeps its number, its children and
// that they fall to it. The files are handed on under their names. It returns
// only if it cannot, and the files are as before then.
func Succeed(path string, files map[string]*os.File) error {
	var told []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fd := files[name].Fd()
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("hand on %s: %w", name, err)
		}
		defer unix.CloseOnExec(int(fd))
		told = append(told, name+"="+strconv.Itoa(int(fd)))
	}
	env := append(os.Environ(), inheritedVariable+"="+strings.Join(told, ","))
	return fmt.Errorf("execute %q: %w", path, syscall.Exec(path, os.Args, env))
}

// Inherited returns the files that this program's predecessor handed on, by
// name; none if it has had no predecessor. It may be called once.
func Inherited() map[string]*os.File {
	told := os.Getenv(inheritedVariable)
	_ = os.Unsetenv(inheritedVariable) // fails only for an impossible name
	files := map[string]*os.File{}
	for pair := range strings.SplitSeq(told, ",") {
		name, number, _ := strings.Cut(pair, "=")
		fd, err := strconv.Atoi(number)
		if err != nil || fd <= 2 {
			continue
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			continue // no such descriptor: the variable is not from a predecessor
		}
		unix.CloseOnExec(fd)
		files[name] = os.NewFile(uintptr(fd), name)
	}
	return files
}
