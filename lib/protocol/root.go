package protocol

// A Root says which directory AppRoot was when the release was resolved, and
// whose word counts there. Proxies read files there for the app that its user
// may put links in.
type Root struct {
	// Device and Inode are those of the directory, 0 if an older spawner did not
	// note them.
	Device uint64 `json:"app_root_device,omitempty"`
	Inode  uint64 `json:"app_root_inode,omitempty"`

	// Owner is the number of the user that the directory belonged to, nil if an
	// older spawner did not note it. A directory that is removed may leave its
	// inode's number to another user's.
	Owner *int `json:"app_root_owner,omitempty"`

	// Foreign says that a symbolic link of the app's own user led to it, and that
	// it is another user's: no more of it is sent than every user may read.
	Foreign bool `json:"app_root_foreign,omitempty"`

	// UID is the number of the user that the process runs as, nil if an older
	// spawner did not note it.
	UID *int `json:"uid,omitempty"`
}
