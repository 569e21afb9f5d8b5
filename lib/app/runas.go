package app

import (
	"errors"
	"fmt"
	"strconv"

	"passenger/lib/account"
	"passenger/lib/protocol"
)

// SameGroup is the value of the setting "group" that stands for the group of
// the startup file. Passenger has the same word.
const SameGroup = "!STARTUP_FILE!"

// RunAs are the rules by which a spawner that is root finds the user of an app.
// They are Passenger's, with one difference: a user or group that the settings
// name has to exist.
type RunAs struct {
	// DefaultUser and DefaultGroup are for apps whose startup file belongs to
	// root, or to a number that is no user of the system. An empty DefaultGroup is
	// the default user's own.
	DefaultUser, DefaultGroup string

	Accounts account.Database
}

// An Owner is who a startup file belongs to.
type Owner struct{ UID, GID int }

// A Who is the user and the groups that an app runs as.
type Who struct {
	account.User
	Groups []int // all of them, the primary one first; GID is that one
}

// Check says what is wrong with the defaults.
func (r RunAs) Check() error {
	if _, err := r.defaultUser(); err != nil {
		return err
	}
	_, err := r.defaultGroup()
	return err
}

// Of returns the user and the groups that the app runs as. reference is the owner of its startup file,
// or of its directory if it has none. It is root only if the settings say so.
func (r RunAs) Of(c protocol.AppConfig, reference Owner) (Who, error) {
	u, err := r.User(c, reference.UID)
	if err != nil {
		return Who{}, fmt.Errorf("app %q: %w", c.Name, err)
	}
	gid, err := r.group(c, u, reference)
	if err != nil {
		return Who{}, fmt.Errorf("app %q: %w", c.Name, err)
	}
	u.GID = gid
	groups, err := r.Accounts.GroupsOf(u, gid)
	if err != nil {
		return Who{}, fmt.Errorf("app %q: %w", c.Name, err)
	}
	return Who{User: u, Groups: groups}, nil
}

// User returns the user that the app runs as, by the user that its startup file
// or its directory belongs to.
func (r RunAs) User(c protocol.AppConfig, owner int) (account.User, error) {
	if c.User != "" {
		u, err := r.Accounts.User(c.User)
		if err != nil {
			return u, fmt.Errorf("setting \"user\": %w", err)
		}
		return u, nil
	}
	if owner != 0 {
		u, err := r.Accounts.User(strconv.Itoa(owner))
		if !errors.Is(err, account.ErrUnknown) {
			return u, err
		}
	}
	return r.defaultUser()
}

func (r RunAs) defaultUser() (account.User, error) {
	u, err := r.Accounts.User(r.DefaultUser)
	if err != nil {
		return u, fmt.Errorf("default user: %w", err)
	}
	if u.UID == 0 {
		return u, fmt.Errorf("default user %q is root; name another with --default-user, or set \"user\" for this app", r.DefaultUser)
	}
	return u, nil
}

func (r RunAs) group(c protocol.AppConfig, u account.User, reference Owner) (int, error) {
	gid := u.GID
	switch c.Group {
	case "":
	case SameGroup:
		gid = reference.GID
		if _, err := r.Accounts.Group(strconv.Itoa(gid)); errors.Is(err, account.ErrUnknown) {
			gid = 0 // as for root's
		} else if err != nil {
			return 0, err
		}
	default:
		g, err := r.Accounts.Group(c.Group)
		if err != nil {
			return 0, fmt.Errorf("setting \"group\": %w", err)
		}
		return g.GID, nil
	}
	if gid != 0 || u.UID == 0 {
		return gid, nil
	}
	return r.defaultGroup()
}

func (r RunAs) defaultGroup() (int, error) {
	if r.DefaultGroup != "" {
		g, err := r.Accounts.Group(r.DefaultGroup)
		if err != nil {
			return 0, fmt.Errorf("default group: %w", err)
		}
		return g.GID, nil
	}
	u, err := r.Accounts.User(r.DefaultUser)
	if err != nil {
		return 0, fmt.Errorf("default user: %w", err)
	}
	return u.GID, nil
}
