package proc

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDoAsUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can take another user's rights")
	}
	dir := t.TempDir()
	for _, parent := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	if err := errors.Join(os.WriteFile(ours, nil, 0o600), os.Mkdir(theirs, 0o700), os.Chown(theirs, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	nobody := User{UID: 65534, GID: 65534, Groups: []int{65534}}
	if err := nobody.Do(func() error { _, err := os.ReadFile(ours); return err }); !errors.Is(err, unix.EACCES) {
		t.Errorf("read root's file: got %v, want EACCES", err)
	}
	made := filepath.Join(theirs, "made")
	if err := nobody.Do(func() error { return os.WriteFile(made, nil, 0o600) }); err != nil {
		t.Errorf("write to an own directory: %v", err)
	}
	var st unix.Stat_t
	if err := unix.Stat(made, &st); err != nil || st.Uid != 65534 || st.Gid != 65534 {
		t.Errorf("the file made: %v, user %d, group %d", err, st.Uid, st.Gid)
	}
	if _, err := os.ReadFile(ours); err != nil {
		t.Errorf("afterwards we are not ourselves: %v", err)
	}
}
