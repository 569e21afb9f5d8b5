package app

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/account"
	"passenger/lib/protocol"
)

// people is a user database of three users and four groups.
type people struct{ away bool }

var errAway = errors.New("the database is away")

func (p people) User(s string) (account.User, error) {
	if p.away {
		return account.User{}, errAway
	}
	for _, u := range []account.User{{Name: "root"}, {Name: "shop", UID: 1001, GID: 1001}, {Name: "nobody", UID: 65534, GID: 65534}, {Name: "wheel", UID: 1002, GID: 0}} {
		if s == u.Name || s == strconv.Itoa(u.UID) {
			return u, nil
		}
	}
	return account.User{}, fmt.Errorf("user %q: %w", s, account.ErrUnknown)
}

func (people) Group(s string) (account.Group, error) {
	for name, gid := range map[string]int{"root": 0, "shop": 1001, "www": 33, "nogroup": 65534} {
		if s == name || s == strconv.Itoa(gid) {
			return account.Group{Name: name, GID: gid}, nil
		}
	}
	return account.Group{}, fmt.Errorf("group %q: %w", s, account.ErrUnknown)
}

func (people) GroupsOf(u account.User, gid int) ([]int, error) {
	if u.Name == "shop" && gid != 33 {
		return []int{gid, 33}, nil
	}
	return []int{gid}, nil
}

// TestRunAs has the rows of Passenger's UserSwitchingRulesTest, and our own
// where we differ.
func TestRunAs(t *testing.T) {
	t.Parallel()
	const (
		shops     = 1001
		www       = 33
		roots     = 0
		strangers = 5555
	)
	for _, tt := range []struct {
		name        string
		user, group string
		owner       Owner
		defaultTo   string // "" is nobody
		want        string // user, group and supplementary groups
		err         string
	}{
		{name: "the owner of the startup file", owner: Owner{shops, shops}, want: "shop 1001 [1001 33]"},
		{name: "not its group", owner: Owner{shops, www}, want: "shop 1001 [1001 33]"},
		{name: "root's file", owner: Owner{roots, roots}, want: "nobody 65534 [65534]"},
		{name: "root's file of another group", owner: Owner{roots, www}, want: "nobody 65534 [65534]"},
		{name: "an unknown owner", owner: Owner{strangers, strangers}, want: "nobody 65534 [65534]"},
		{name: "an owner whose group is root's", owner: Owner{1002, 0}, want: "wheel 65534 [65534]"},
		{name: "user set", user: "shop", owner: Owner{roots, roots}, want: "shop 1001 [1001 33]"},
		{name: "user set by number", user: "1001", owner: Owner{roots, roots}, want: "shop 1001 [1001 33]"},
		{name: "user set, unknown", user: "shpo", owner: Owner{shops, shops}, err: `setting "user": user "shpo": no such user or group`},
		{name: "user set to root", user: "root", owner: Owner{shops, shops}, want: "root 0 [0]"},
		{name: "group set", group: "www", owner: Owner{shops, shops}, want: "shop 33 [33]"},
		{name: "group set by number", group: "33", owner: Owner{shops, shops}, want: "shop 33 [33]"},
		{name: "group set, unknown", group: "wwww", owner: Owner{shops, shops}, err: `setting "group": group "wwww": no such user or group`},
		{name: "group set to root's", group: "root", owner: Owner{shops, shops}, want: "shop 0 [0 33]"},
		{name: "group of the startup file", group: SameGroup, owner: Owner{shops, www}, want: "shop 33 [33]"},
		{name: "group of the startup file, root's", group: SameGroup, owner: Owner{shops, roots}, want: "shop 65534 [65534 33]"},
		{name: "group of the startup file, unknown", group: SameGroup, owner: Owner{shops, strangers}, want: "shop 65534 [65534 33]"},
		{name: "user and group set", user: "nobody", group: "www", owner: Owner{shops, shops}, want: "nobody 33 [33]"},
		{name: "the default user is root", owner: Owner{roots, roots}, defaultTo: "root", err: `default user "root" is root`},
		{name: "the default user is unknown", owner: Owner{roots, roots}, defaultTo: "nobdy", err: `default user: user "nobdy"`},
		{name: "the default user is unknown and not needed", owner: Owner{shops, shops}, defaultTo: "nobdy", want: "shop 1001 [1001 33]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rules := RunAs{DefaultUser: "nobody", Accounts: people{}}
			if tt.defaultTo != "" {
				rules.DefaultUser = tt.defaultTo
			}
			who, err := rules.Of(protocol.AppConfig{Name: "app", User: tt.user, Group: tt.group}, tt.owner)
			if err != nil || tt.err != "" {
				if err == nil || tt.err == "" || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got error %v, want %q", err, tt.err)
				}
				return
			}
			got := fmt.Sprintf("%s %d %v", who.Name, who.GID, who.Groups)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := (RunAs{DefaultUser: "nobody", Accounts: people{away: true}}).Of(protocol.AppConfig{Name: "app"}, Owner{shops, shops}); !errors.Is(err, errAway) {
		t.Errorf("without a database: got %v, want its error", err)
	}
}
