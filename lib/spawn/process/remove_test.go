package process

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/statedir"
)

// A directory beneath a file, as one that cannot be opened for want of
// descriptors, is removed once it can be.
func TestRemoveDirectoryTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		above := t.TempDir()
		dir := filepath.Join(above, "p")
		if err := os.MkdirAll(filepath.Join(dir, "below"), 0o700); err != nil {
			t.Fatal(err)
		}
		hold(t, above)
		RemoveDirectory(statedir.ProcessDir(dir))
		if _, err := os.Lstat(dir); err != nil {
			t.Fatal("it was removed at once")
		}
		time.Sleep(3 * firstRemovePause)
		release(t, above)
		time.Sleep(10 * firstRemovePause)
		synctest.Wait()
		if _, err := os.Lstat(dir); err == nil {
			t.Error("it is there still")
		}
	})
}

// hold makes what is in a directory impossible to remove, for root too.
func hold(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", filepath.Join(dir, "p", "below"), "tmpfs", 0, ""); err != nil {
		t.Skip("cannot mount:", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(filepath.Join(dir, "p", "below"), syscall.MNT_DETACH) })
}

func release(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Unmount(filepath.Join(dir, "p", "below"), syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
}
