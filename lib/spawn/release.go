package spawn

import (
	"fmt"
	"slices"

	"passenger/lib/protocol"
	"passenger/lib/trail"
)

// A release is an app's directory as its generation found it.
type release struct {
	path string // without symlinks

	// device and inode say which directory that was, 0 if an earlier spawner
	// found it and did not note them.
	device, inode uint64
	owner         int

	// links are the users, other than root, whose symlinks led there. They chose
	// the directory, and so whose it is.
	links []int

	foreign bool // an earlier spawner noted that; see protocol.Root
}

// findRelease follows the symlinks on the way to an app's directory.
func findRelease(path string) (release, error) {
	t, err := trail.Follow(path)
	if err != nil {
		return release{}, fmt.Errorf("app root %q: %w", path, err)
	}
	defer t.Close()
	return release{path: t.Path, device: t.Stat.Dev, inode: t.Stat.Ino, owner: t.Owner(), links: t.Links}, nil
}

// adopted is the release that the process of a record was started from.
func adopted(r *protocol.Process) release {
	return release{path: r.AppRoot, device: r.Device, inode: r.Inode, foreign: r.Foreign}
}

// rootFor says what proxies are to know of the release, where uid is the user
// that the app runs as.
func (r release) rootFor(uid int) protocol.Root {
	foreign := r.foreign || slices.Contains(r.links, uid) && r.owner != uid
	return protocol.Root{Device: r.device, Inode: r.inode, Foreign: foreign, UID: &uid}
}
