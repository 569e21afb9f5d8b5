package spawn

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A release is an app's directory as its generation found it.
type release struct {
	path string // without symlinks

	// links are the users, other than root, whose symlinks led there. They chose
	// the directory, and so whose it is.
	links []int
}

// maxLinks is how many symlinks are followed, as many as the kernel follows.
const maxLinks = 40

// findRelease follows the symlinks on the way to an app's directory.
func findRelease(path string) (release, error) {
	found := release{path: "/"}
	rest := strings.Split(filepath.Clean(path), "/")
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		next := filepath.Join(found.path, name) // of ".." and "", too
		fi, err := os.Lstat(next)
		if err != nil {
			return release{}, fmt.Errorf("app root %q: %w", path, err)
		}
		if fi.Mode()&os.ModeSymlink == 0 {
			found.path = next
			continue
		}
		if links++; links > maxLinks {
			return release{}, fmt.Errorf("app root %q: %w", path, syscall.ELOOP)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return release{}, fmt.Errorf("app root %q: %w", path, err)
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && !slices.Contains(found.links, int(st.Uid)) {
			found.links = append(found.links, int(st.Uid))
		}
		if filepath.IsAbs(target) {
			found.path = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return found, nil
}
