package owner

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"passenger/lib/account"
	"passenger/lib/protocol"
)

// A claim is the place that an app is to answer at, and whose word that is. An
// app's user can write anything into the app's own file, the host of another
// user's app among it, whose requests, cookies and all, would then be its.
type claim struct {
	hosts []string
	base  string

	own    bool // hosts stand in the app's own file alone
	author int  // whose that file is
	owner  int  // whose the app's directory is
}

// noUser is no user's number.
const noUser = -1

// claimOf is that of complete settings.
func claimOf(c protocol.AppConfig, own bool, author int) claim {
	l := claim{hosts: c.ServerNames, base: c.BaseURI, own: own, author: author, owner: noUser}
	if fi, err := os.Stat(c.AppRoot); err == nil {
		if st, ok := fi.Sys().(*syscall.Stat_t); ok {
			l.owner = int(st.Uid)
		}
	}
	return l
}

// tenants says that the claim is the word of a user who is neither root nor ours.
func (c claim) tenants() bool { return c.own && c.author != 0 && c.author != os.Geteuid() }

// claims are those of all apps, by name.
type claims map[string]claim

// check says why the app cannot have what it claims: the administrator gave it
// to another user's app.
func (all claims) check(name string, c claim) error {
	if !c.tenants() {
		return nil
	}
	for other, o := range all {
		if other == name || o.own || o.owner == c.author || !within(c.base, o.base) {
			continue
		}
		given := make(map[string]bool, len(o.hosts))
		for _, host := range o.hosts {
			given[host] = true
		}
		for _, host := range c.hosts {
			if covers(given, host) {
				return &protocol.Error{
					Code: protocol.CodeConflict,
					Message: fmt.Sprintf("app %q: its own Passengerfile.json, which is user %s's, claims %q for host %q, which the administrator gave to app %q",
						name, account.NameOf(c.author), c.base, host, other),
					Hint: "if it may have it, name the host in server_names where the administrator's settings of the app are",
				}
			}
		}
	}
	return nil
}

// within says that a path lies below another, or is the same.
func within(base, other string) bool {
	return base == other || strings.HasPrefix(base, strings.TrimSuffix(other, "/")+"/")
}

// covers says that all requests for a host, which may be a wildcard, are those of
// an app with the names given.
func covers(given map[string]bool, host string) bool {
	for i := range len(host) {
		if host[i] == '.' && given["*"+host[i:]] {
			return true
		}
	}
	return given[host]
}

// administratorsFirst puts the apps whose users name their place themselves
// behind the others, so that none takes another's by coming first.
func administratorsFirst(list []entry) {
	rank := func(e entry) int {
		if e.claim.tenants() {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b entry) int { return cmp.Compare(rank(a), rank(b)) })
}
