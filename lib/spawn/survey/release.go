package survey

import (
	"slices"

	"passenger/lib/protocol"
	"passenger/lib/trail"
)

// A Release is an app's directory as its generation found it.
type Release struct {
	Path string `json:"path"` // without symlinks

	// Device and Inode say which directory that was, 0 if an earlier spawner
	// found it and did not note them.
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	Owner  int    `json:"owner"` // or unknownOwner, likewise

	// Links are the users, other than root, whose symlinks led there. They chose
	// the directory, and so whose it is.
	Links []int `json:"links,omitempty"`

	Foreign bool `json:"foreign,omitempty"` // by the record of an earlier spawner; see protocol.Root
}

// unknownOwner is no user.
const unknownOwner = -1

// releaseOf is the release that a trail leads to.
func releaseOf(t *trail.Trail) Release {
	return Release{Path: t.Path, Device: t.Stat.Dev, Inode: t.Stat.Ino, Owner: t.Owner(), Links: t.Links}
}

// ReleaseOf is the release that the process of a record was started from.
func ReleaseOf(r *protocol.Process) Release {
	l := Release{Path: r.AppRoot, Device: r.Device, Inode: r.Inode, Owner: unknownOwner, Foreign: r.Foreign}
	if r.Owner != nil {
		l.Owner = *r.Owner
	}
	return l
}

// RootFor says what proxies are to know of the release, where uid is the user
// that the app runs as.
func (r Release) RootFor(uid int) protocol.Root {
	foreign := r.Foreign || slices.Contains(r.Links, uid) && r.Owner != uid
	root := protocol.Root{Device: r.Device, Inode: r.Inode, Foreign: foreign, UID: &uid}
	if r.Owner != unknownOwner {
		root.Owner = &r.Owner
	}
	return root
}
