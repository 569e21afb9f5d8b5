package statedir

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// wantMode checks mode and group of a path.
func wantMode(t *testing.T, path string, mode os.FileMode, gid int) {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	const bits = os.ModePerm | os.ModeSticky | os.ModeSetgid
	if got := fi.Mode() & bits; got != mode || gid >= 0 && int(fi.Sys().(*syscall.Stat_t).Gid) != gid {
		t.Errorf("%s: got %v of group %d, want %v of group %d", path, got, fi.Sys().(*syscall.Stat_t).Gid, mode, gid)
	}
}

const daemons = 54321 // a group that only the tests' daemons are in

func TestSharedDirectoryLetsTheGroupKeepFilesAndChangeNothingOfOurs(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root shares a directory with a group")
	}
	path := filepath.Join(short(t), "s")
	for range 2 { // a second time on what is there already
		d, err := Share(path, daemons)
		if err != nil {
			t.Fatal(err)
		}
		wantMode(t, d.Path(), os.ModeSticky|0o771, daemons)
		wantMode(t, d.Apps(), os.ModeSticky|0o770, daemons)
		wantMode(t, d.Processes(), 0o710, daemons)
	}
	ours := At(path).Processes()
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	member := func(groups []uint32, script string) (string, error) {
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54320, Gid: 54320, Groups: groups}}
		cmd.Dir = path
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, tt := range []struct {
		groups []uint32
		script string
		may    bool
	}{
		{[]uint32{daemons}, "touch routes.json pool.lock apps/shop.json", true},
		{[]uint32{daemons}, "touch processes/x", false},
		{[]uint32{daemons}, "rmdir processes", false},
		{[]uint32{daemons}, "mv apps old", false},
		{nil, "touch x", false},
		{nil, "ls", false},
	} {
		out, err := member(tt.groups, tt.script)
		if (err == nil) != tt.may {
			t.Errorf("%v: %s: got %v %s", tt.groups, tt.script, err, out)
		}
	}
	if _, err := os.Stat(ours); err != nil {
		t.Error(err)
	}
}

func TestSharedDirectoryIsForItsGroup(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root shares a directory with a group")
	}
	root := short(t)
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "s")
	if _, err := Share(path, daemons); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		groups []uint32
		want   string
	}{
		{[]uint32{daemons}, "held\n"},
		{nil, "is shared with group 54321, in which user 54320 is not"},
	} {
		got, err := openAs(t, path, tt.groups)
		if !strings.Contains(got, tt.want) {
			t.Errorf("groups %v: got %q, %v, want %q", tt.groups, got, err, tt.want)
		}
	}
}

// openAs has this binary, as another user, open the directory and take a lock
// there.
func openAs(t *testing.T, path string, groups []uint32) (string, error) {
	t.Helper()
	self := filepath.Join(t.TempDir(), "self")
	b, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		syscall.ForkLock.RLock() // a child of another test would hold it open for writing
		err = os.WriteFile(self, b, 0o755)
		syscall.ForkLock.RUnlock()
	}
	for dir := filepath.Dir(self); err == nil && dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755) // the other user is to reach it
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "STATEDIR_TEST_HOLD="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54320, Gid: 54320, Groups: groups}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestShareRefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	root := short(t)
	link := filepath.Join(root, "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Share(link, -1); err == nil {
		t.Error("a symlink was shared: it may lead anywhere")
	}
	if os.Getuid() != 0 {
		return
	}
	other := filepath.Join(root, "other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(other, 54320, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := Share(other, daemons); err == nil || !strings.Contains(err.Error(), "belongs to user 54320") {
		t.Errorf("got %v, want whose it is", err)
	}
}

func TestLetThroughOpensTheWayAndNothingElse(t *testing.T) {
	t.Parallel()
	d, err := Open(filepath.Join(short(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.LetThrough(); err != nil {
		t.Fatal(err)
	}
	wantMode(t, d.Path(), 0o711, -1)
	wantMode(t, d.NotifySockets(), 0o711, -1)
	wantMode(t, d.Apps(), 0o700, -1)
}

func TestLockGoesToASuccessor(t *testing.T) {
	t.Parallel()
	d, err := Open(filepath.Join(short(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := d.Lock(Spawn)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(lock.File().Fd())) // as over execve: the same open file
	if err != nil {
		t.Fatal(err)
	}
	heir := Adopted(os.NewFile(uintptr(fd), "lock"))
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := heir.Sign(); err != nil {
		t.Fatal(err)
	}
	if got := d.Holder(Spawn); got != os.Getpid() {
		t.Errorf("holder: got %d, want %d", got, os.Getpid())
	}
	if err := heir.Unlock(); err != nil {
		t.Fatal(err)
	}
	if got := d.Holder(Spawn); got != 0 {
		t.Errorf("holder: got %d, want none", got)
	}
}

// The names are an interface: passenger-statedir(5) describes them.
func TestNames(t *testing.T) {
	t.Parallel()
	d := At("/s")
	p, l := d.Process("ab12"), d.Preloader("cd34")
	for got, want := range map[string]string{
		d.Socket(Pool): "/s/pool.sock", d.Handover(): "/s/proxy-handover.sock", d.KeptSockets(): "/s/spawn-sockets.sock",
		d.Routes(): "/s/routes.json", d.App("shop"): "/s/apps/shop.json",
		p.Record(): "/s/processes/ab12/record.json", p.Socket(): "/s/processes/ab12/app.sock",
		p.Stdout(): "/s/processes/ab12/stdout", p.Stderr(): "/s/processes/ab12/stderr",
		l.Record(): "/s/preloaders/cd34/record.json", d.Preloaders(): "/s/preloaders",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
