package switching

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"passenger/lib/account"
	"passenger/lib/app"
	"passenger/lib/protocol"
	"passenger/lib/spawn/survey"
)

// users are a database in which every number has an account.
type users struct{}

func (users) User(s string) (account.User, error) {
	uid, err := strconv.Atoi(s)
	return account.User{Name: "user" + s, UID: uid, GID: uid}, err
}

func (users) Group(s string) (account.Group, error) {
	gid, err := strconv.Atoi(s)
	return account.Group{Name: "group" + s, GID: gid}, err
}

func (users) GroupsOf(_ account.User, gid int) ([]int, error) { return []int{gid}, nil }

// Users who own a symlink on the way to an app do not choose whom it runs as,
// unless that is themselves.
func TestLinksChooseNoOtherUser(t *testing.T) {
	t.Parallel()
	rules := &Rules{RunAs: app.RunAs{DefaultUser: "65534", Accounts: users{}}}
	for _, tt := range []struct {
		name  string
		user  string // of the settings
		owner int
		links []int
		want  int // the uid, -1 for refused
	}{
		{"no links", "", 1000, nil, 1000},
		{"a link of the owner", "", 1000, []int{1000}, 1000},
		{"a link of another", "", 1000, []int{1001}, -1},
		{"links of both", "", 1000, []int{1000, 1001}, -1},
		{"a link of another, and the settings say who", "1000", 1001, []int{1001}, 1000},
		{"a file of root", "", 0, nil, 65534},
		{"a link to a file of root", "", 0, []int{1001}, -1},
	} {
		f := survey.Findings{Owner: app.Owner{UID: tt.owner, GID: tt.owner}, Release: survey.Release{Path: "/srv/shop", Links: tt.links}}
		who, err := rules.Who(protocol.AppConfig{Name: "shop", User: tt.user}, f)
		if refused := err != nil; refused != (tt.want == -1) || !refused && who.UID != tt.want {
			t.Errorf("%s: got user %d, %v, want %d", tt.name, who.UID, err, tt.want)
		}
	}
}

// Settings that others than root could have written are not read.
func TestSettingsAreRootsAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	rules := &Rules{AppsDir: dir}
	path := filepath.Join(dir, "shop.json")
	for _, tt := range []struct {
		name string
		make func() error
		want string // in the error, empty for none
	}{
		{"root's file", func() error { return os.WriteFile(path, []byte(`{"app_root":"/srv/shop"}`), 0o644) }, ""},
		{"writable by others", func() error { return os.Chmod(path, 0o666) }, "others may write it"},
		{"of another user", func() error { return os.Chown(path, 65534, -1) }, "only what is root's is believed"},
		{"a symlink", func() error { return os.Rename(path, path+".real") }, "has no file"},
		{"a link to it", func() error { return os.Symlink(path+".real", path) }, "is a symlink"},
	} {
		if err := tt.make(); err != nil {
			t.Fatal(tt.name, err)
		}
		c, err := rules.Config("shop")
		if tt.want == "" && (err != nil || c.Name != "shop") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %q, %v, want %q", tt.name, c.Name, err, tt.want)
		}
	}
}
