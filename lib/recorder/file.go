package recorder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// errBusy says that another process writes the file: the proxy that hands over to
// us and serves its last requests.
var errBusy = errors.New("another process records in it")

// A file is one that this process writes. It holds its lock.
type file struct {
	f    *os.File
	next [len(rings)]place
	buf  []byte
}

// A place is where the next record of a ring goes, and its number.
type place struct {
	at     int64
	number uint64
}

// open opens a daemon's file to go on behind its last record. A file that is
// missing, or is none of ours or of another version, is made anew.
func open(path, daemon string) (*file, error) {
	f, err := openOwn(path, daemon)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errForeign) {
		f, err = create(path, daemon)
	}
	if err != nil {
		return nil, fmt.Errorf("recorder %s: %w", path, err)
	}
	w := &file{f: f, buf: make([]byte, 0, mostRecord)}
	for i, r := range rings {
		if err := r.scan(f, w.next[i].follow); err != nil {
			f.Close()
			return nil, fmt.Errorf("recorder %s: %w", path, err)
		}
	}
	return w, nil
}

// follow is behind the newest of the records that it was told.
func (p *place) follow(r record) {
	if r.number >= p.number {
		p.at, p.number = r.end, r.number+1
	}
}

// errForeign says that a file is to be replaced.
var errForeign = errors.New("it is none that this program writes")

// openOwn opens a file that is ours and whole, and locks it. In a directory that a
// group shares, another could have put something else in its place.
func openOwn(path, daemon string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENXIO) {
		return nil, errForeign
	}
	if err != nil {
		return nil, err
	}
	if err := own(f, daemon); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func own(f *os.File, daemon string) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !fi.Mode().IsRegular() || int(st.Uid) != os.Geteuid() || st.Nlink != 1 || fi.Size() != Size || fi.Mode().Perm() != 0o600 {
		return errForeign
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return errBusy
	} else if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	want := headLine(daemon)
	line := make([]byte, len(want))
	if _, err := f.ReadAt(line, 0); err != nil {
		return err
	}
	if string(line) != want {
		return errForeign
	}
	return nil
}

// create makes the file beside its place, with all the room that it will ever
// have, and puts it there.
func create(path, daemon string) (f *os.File, err error) {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err = os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(fresh) // what is left of it is removed by the next one
			f.Close()
			f = nil
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return f, fmt.Errorf("lock: %w", err)
	}
	if err := f.Chmod(0o600); err != nil {
		return f, err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, Size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = f.Truncate(Size)
	}
	if err != nil {
		return f, fmt.Errorf("make room for %d bytes: %w", Size, err)
	}
	if _, err := f.WriteAt(head(daemon), 0); err != nil {
		return f, err
	}
	return f, os.Rename(fresh, path)
}

// append writes one record, in the ring of its kind.
func (w *file) append(k kind, payload []byte) error {
	for i, r := range rings {
		if r.kind == k {
			return w.appendTo(r, &w.next[i], payload)
		}
	}
	return fmt.Errorf("internal error: no ring for records of kind %q", k)
}

func (w *file) appendTo(r ring, p *place, payload []byte) error {
	if len(payload) > mostRecord-recordHead {
		return fmt.Errorf("internal error: a record of %d bytes; %d are the most", len(payload), mostRecord-recordHead)
	}
	w.buf = appendRecord(w.buf[:0], r.kind, p.number, payload)
	if p.at+int64(len(w.buf)) > r.size {
		// What is left there of the last round would be taken for newer than it is.
		if _, err := w.f.WriteAt(make([]byte, r.size-p.at), r.from+p.at); err != nil {
			return err
		}
		p.at = 0
	}
	if _, err := w.f.WriteAt(w.buf, r.from+p.at); err != nil {
		return err
	}
	p.at += int64(len(w.buf))
	p.number++
	return nil
}

func (w *file) close() { w.f.Close() }
