package proc

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Holders returns the processes, other than this one, whose standard output or
// error lies in the directory, or that have a socket bound to a path in it.
func Holders(dir string) []Identity {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	sockets := socketsIn(dir)
	var holders []Identity
	for _, pid := range all() {
		if pid == os.Getpid() || !holds(pid, dir, sockets) {
			continue
		}
		if id, err := IdentityOf(pid); err == nil && holds(pid, dir, sockets) {
			holders = append(holders, id)
		}
	}
	return holders
}

func holds(pid int, dir string, sockets map[string]bool) bool {
	fds := "/proc/" + strconv.Itoa(pid) + "/fd"
	names, err := os.ReadDir(fds)
	if err != nil {
		return false // it is another user's, or gone
	}
	for _, n := range names {
		link, err := os.Readlink(filepath.Join(fds, n.Name()))
		if err != nil {
			continue
		}
		output := n.Name() == "1" || n.Name() == "2"
		if sockets[link] || output && strings.HasPrefix(link, dir+"/") {
			return true
		}
	}
	return false
}

// HoldsOutput says whether the process's standard output or error lies in the
// directory, whose path has no symlink.
func HoldsOutput(pid int, dir string) bool {
	for _, fd := range []string{"/fd/1", "/fd/2"} {
		link, err := os.Readlink("/proc/" + strconv.Itoa(pid) + fd)
		if err == nil && strings.HasPrefix(link, dir+"/") {
			return true
		}
	}
	return false
}

// socketsIn are the unix sockets that are bound to paths in the directory, as
// /proc/PID/fd names them.
func socketsIn(dir string) map[string]bool {
	f, err := os.Open("/proc/net/unix")
	if err != nil {
		return nil
	}
	defer f.Close()
	found := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 8 && filepath.Dir(fields[7]) == dir {
			found["socket:["+fields[6]+"]"] = true
		}
	}
	return found
}
