package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"passenger/lib/account"
	"passenger/lib/spelling"
)

// A SocketFile says who may connect to a unix socket.
type SocketFile struct {
	Mode  fs.FileMode    // 0 if the address has none
	Group *account.Group // nil if the address has none

	// Usual is the mode of a new file whose address has none, 0 for 0666.
	Usual fs.FileMode
}

// socketOptions is what follows the path of a unix socket: ?NAME=VALUE&…
var socketOptions = regexp.MustCompile(`^(.*)\?([a-z]+=[^?]*)$`)

// ParseSocket takes the options off an address that ends in
// "unix:PATH?mode=MODE&group=GROUP". Other addresses have none.
func ParseSocket(address string) (plain string, f SocketFile, err error) {
	m := socketOptions.FindStringSubmatch(address)
	if m == nil || !unixAddress(address) {
		return address, f, nil
	}
	for option := range strings.SplitSeq(m[2], "&") {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "mode":
			mode, err := strconv.ParseUint(value, 8, 32)
			if err != nil || mode == 0 || mode > 0o777 {
				return "", f, fmt.Errorf("%q: mode %q is not octal, such as 0660", address, value)
			}
			f.Mode = fs.FileMode(mode)
		case "group":
			group, err := account.System.Group(value)
			if err != nil {
				return "", f, fmt.Errorf("%q: %w", address, err)
			}
			f.Group = &group
		default:
			return "", f, fmt.Errorf("%q: unknown option %q%s; it is mode or group", address, name, spelling.DidYouMean(name, []string{"mode", "group"}))
		}
	}
	return m[1], f, nil
}

func unixAddress(address string) bool {
	return strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(address, "tls:"), headersPrefix), "unix:")
}

func (f *SocketFile) mode(usual fs.FileMode) fs.FileMode {
	switch {
	case f.Mode != 0:
		return f.Mode
	case f.Usual != 0:
		return f.Usual
	}
	return usual
}

func (f *SocketFile) gid() int {
	if f.Group == nil {
		return -1
	}
	return f.Group.GID
}

// apply has the file of a socket that was handed over be as its address says,
// as far as that says anything.
func (f *SocketFile) apply(path string) error {
	var err error
	if f.Group != nil {
		err = os.Lchown(path, -1, f.Group.GID)
	}
	if f.Mode != 0 {
		err = errors.Join(err, os.Chmod(path, f.Mode))
	}
	return err
}
