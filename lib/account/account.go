// Package account looks up the users and groups of the system. The user
// database may be a directory service that does not answer, so a lookup is
// bounded in time.
package account

import (
	"bufio"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"passenger/lib/spelling"
)

// lookupTimeout is how long the user database may take for one answer.
const lookupTimeout = 10 * time.Second

// ErrUnknown says that there is no such user or group.
var ErrUnknown = errors.New("no such user or group")

// A User is one of the system's users.
type User struct {
	Name     string
	UID, GID int
	Home     string
	Shell    string // "/bin/sh" if passwd(5) does not know the user
}

// A Group is one of the system's groups.
type Group struct {
	Name string
	GID  int
}

// Database answers about users and groups. System is the real one.
type Database interface {
	// User finds a user by name, else by number; Group likewise.
	User(nameOrNumber string) (User, error)
	Group(nameOrNumber string) (Group, error)

	// GroupsOf returns the groups that initgroups(3) gives the user when its
	// primary group is gid: that one first, then the others in order.
	GroupsOf(u User, gid int) ([]int, error)
}

// System is the system's user database.
var System Database = system{}

type system struct{}

func (system) User(s string) (User, error) {
	u, err := bounded("user "+strconv.Quote(s), func() (*user.User, error) { return byNameOrID(s, user.Lookup, user.LookupId) })
	if errors.Is(err, ErrUnknown) {
		return User{}, fmt.Errorf("%w%s", err, spelling.DidYouMean(s, names("/etc/passwd")))
	}
	if err != nil {
		return User{}, err
	}
	uid, err := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err, err2); err != nil {
		return User{}, fmt.Errorf("user %q: the user database has something else where a number should be: %w", s, err)
	}
	return User{Name: u.Username, UID: uid, GID: gid, Home: u.HomeDir, Shell: shellOf(u.Username)}, nil
}

func (system) Group(s string) (Group, error) {
	g, err := bounded("group "+strconv.Quote(s), func() (*user.Group, error) { return byNameOrID(s, user.LookupGroup, user.LookupGroupId) })
	if errors.Is(err, ErrUnknown) {
		return Group{}, fmt.Errorf("%w%s", err, spelling.DidYouMean(s, names("/etc/group")))
	}
	if err != nil {
		return Group{}, err
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return Group{}, fmt.Errorf("group %q: the user database has something else where a number should be: %w", s, err)
	}
	return Group{Name: g.Name, GID: gid}, nil
}

func (system) GroupsOf(u User, gid int) ([]int, error) {
	ids, err := bounded("groups of user "+strconv.Quote(u.Name), func() ([]string, error) {
		return (&user.User{Uid: strconv.Itoa(u.UID), Gid: strconv.Itoa(gid), Username: u.Name}).GroupIds()
	})
	if err != nil {
		return nil, err
	}
	groups := []int{gid}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, fmt.Errorf("groups of user %q: the user database has something else where a number should be: %w", u.Name, err)
		}
		if !slices.Contains(groups, n) {
			groups = append(groups, n)
		}
	}
	return groups, nil
}

// Current is the user that this program runs as. Of one that the database does
// not know, only the number is known.
func Current() User {
	uid := strconv.Itoa(os.Geteuid())
	u, err := System.User(uid)
	if err != nil {
		return User{Name: uid, UID: os.Geteuid(), GID: os.Getegid(), Shell: defaultShell}
	}
	return u
}

// NameOf is the user's name, or the number if it has none.
func NameOf(uid int) string {
	u, err := System.User(strconv.Itoa(uid))
	if err != nil {
		return strconv.Itoa(uid)
	}
	return u.Name
}

// byNameOrID finds by name, else by number.
func byNameOrID[T any](s string, byName, byID func(string) (T, error)) (T, error) {
	v, err := byName(s)
	if err != nil {
		if v, e := byID(s); e == nil {
			return v, nil
		}
	}
	var name user.UnknownUserError
	var group user.UnknownGroupError
	if errors.As(err, &name) || errors.As(err, &group) {
		return v, ErrUnknown
	}
	return v, err
}

// bounded asks the database. A question without an answer is left behind.
func bounded[T any](what string, ask func() (T, error)) (T, error) {
	type reply struct {
		v   T
		err error
	}
	replies := make(chan reply, 1)
	go func() {
		v, err := ask()
		replies <- reply{v, err}
	}()
	select {
	case r := <-replies:
		if r.err != nil {
			return r.v, fmt.Errorf("%s: %w", what, r.err)
		}
		return r.v, nil
	case <-time.After(lookupTimeout):
		var none T
		return none, fmt.Errorf("%s: the user database did not answer within %v", what, lookupTimeout)
	}
}

const defaultShell = "/bin/sh"

// shellOf reads the login shell from passwd(5), which os/user leaves out.
func shellOf(name string) string {
	for fields := range entries("/etc/passwd") {
		if len(fields) >= 7 && fields[0] == name && fields[6] != "" {
			return fields[6]
		}
	}
	return defaultShell
}

// names are those that a file of passwd(5) or group(5) knows.
func names(path string) (known []string) {
	for fields := range entries(path) {
		known = append(known, fields[0])
	}
	return known
}

// entries are the lines of such a file, each split into its fields. Of one that
// cannot be read there are none.
func entries(path string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		f, err := os.Open(path)
		if err != nil {
			return
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if !yield(strings.Split(lines.Text(), ":")) {
				return
			}
		}
	}
}
