package status

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"passenger/lib/statedir"
)

// Find returns the state directories of ours in which something runs: the
// default one and those that "passenger start" makes beside it, one a port.
func Find() []string { return find(runs) }

// FindRecorded returns those in which a daemon recorded, whether or not it runs.
func FindRecorded() []string { return find(recorded) }

// find returns the directories of ours that are as the caller wants them.
func find(wanted func(statedir.Dir) bool) []string {
	paths, _ := filepath.Glob(statedir.Default() + "-*") // errors are of the pattern only
	paths = append([]string{statedir.Default()}, paths...)
	return slices.DeleteFunc(paths, func(path string) bool { return !ours(path) || !wanted(statedir.At(path)) })
}

// ours keeps us from reading what another user put below /tmp for us to find.
func ours(path string) bool {
	fi, err := os.Lstat(path)
	if err != nil || !fi.IsDir() {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// runs says whether a daemon or an app's process runs in dir.
func runs(dir statedir.Dir) bool {
	for _, daemon := range []string{statedir.Spawn, statedir.Pool, statedir.Proxy} {
		if dir.Holder(daemon) != 0 {
			return true
		}
	}
	return len(records(dir)) > 0
}

func recorded(dir statedir.Dir) bool {
	for _, daemon := range []string{statedir.Spawn, statedir.Pool, statedir.Proxy} {
		if _, err := os.Lstat(dir.Recording(daemon)); err == nil {
			return true
		}
	}
	return false
}
