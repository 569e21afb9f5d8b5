package account

import (
	"errors"
	"os"
	"slices"
	"testing"
)

func TestSystem(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"root", "0"} {
		u, err := System.User(name)
		if err != nil || u.Name != "root" || u.UID != 0 || u.GID != 0 || u.Home == "" || u.Shell == "" {
			t.Errorf("user %q: got %+v, %v", name, u, err)
		}
		if g, err := System.Group(name); err != nil || g.GID != 0 {
			t.Errorf("group %q: got %+v, %v", name, g, err)
		}
	}
	if _, err := System.User("no-such-user"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
	if _, err := System.Group("no-such-group"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
	u, err := System.User("daemon")
	if err != nil {
		t.Fatal(err)
	}
	groups, err := System.GroupsOf(u, 4242)
	if err != nil || groups[0] != 4242 || slices.Index(groups[1:], 4242) >= 0 {
		t.Errorf("got %v, %v, want 4242 first and once", groups, err)
	}
	if NameOf(0) != "root" || NameOf(3999999999) != "3999999999" {
		t.Errorf("got %q and %q", NameOf(0), NameOf(3999999999))
	}
	if Current().UID != os.Geteuid() {
		t.Errorf("got %+v", Current())
	}
}
