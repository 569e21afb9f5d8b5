package output

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// closePatience is how long a log file that no process uses any more may take
// for what it still has to write.
const closePatience = 5 * time.Second

// An Opener opens the log file at path as some user, by [OpenLog]. It may take
// its time, but not for ever.
type Opener func(path string) (*os.File, error)

// Files are the log files of apps, each open once for its user however many
// processes write to it.
type Files struct {
	mu   sync.Mutex // guards open
	open map[fileKey]*logFile
}

// A fileKey is a log file as one user has it. Another who names the same path
// shows by opening it that it may.
type fileKey struct{ path, user string }

type logFile struct {
	*Log
	fileKey
	as   Opener
	uses int
}

// Use returns the log of the file at path, which is opened as the user, by as,
// and a function that gives it up. The file is made if it is not there, mode
// 0640. A symlink is not followed.
func (f *Files) Use(path, user string, as Opener) (sink Sink, done func(), err error) {
	key := fileKey{filepath.Clean(path), user}
	file := f.use(key, nil)
	if file == nil {
		w, err := as(key.path) // not locked: others do not wait for it
		if err != nil {
			return nil, nil, err
		}
		opened := &logFile{Log: NewLog(w, Raw), fileKey: key, as: as}
		if file = f.use(key, opened); file != opened {
			opened.discard()
		}
	}
	return file, sync.OnceFunc(func() { f.leave(file) }), nil
}

// use counts a use of the log that is open for key, or of the one opened now;
// nil if there is neither.
func (f *Files) use(key fileKey, opened *logFile) *logFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	file := f.open[key]
	if file == nil && opened != nil {
		if f.open == nil {
			f.open = map[fileKey]*logFile{}
		}
		f.open[key], file = opened, opened
	}
	if file != nil {
		file.uses++
	}
	return file
}

func (f *Files) leave(file *logFile) {
	f.mu.Lock()
	file.uses--
	last := file.uses == 0
	if last {
		delete(f.open, file.fileKey)
	}
	f.mu.Unlock()
	if last {
		go file.discard()
	}
}

// discard closes the file once what waits for it is written.
func (l *logFile) discard() {
	l.Close(closePatience)
	closeWriter(l.Reopen(io.Discard))
}

// Reopen opens every file anew: a rotated one goes on under its name. One that
// cannot be opened stays as it is, and the error says so.
func (f *Files) Reopen() error {
	f.mu.Lock()
	files := slices.Collect(maps.Values(f.open))
	f.mu.Unlock()
	var failed []error
	for _, file := range files {
		w, err := file.as(file.path)
		if err != nil {
			failed = append(failed, fmt.Errorf("log file not reopened; the old one goes on: %w", err))
			continue
		}
		closeLater(file.Reopen(w))
	}
	return errors.Join(failed...)
}

// Dropped is how many lines the files' logs dropped, by path.
func (f *Files) Dropped() map[string]uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	dropped := map[string]uint64{}
	for key, file := range f.open {
		dropped[key.path] += file.Dropped()
	}
	return dropped
}

// OpenLog opens the log file of an app to append to, as who we are.
func OpenLog(path string) (*os.File, error) {
	// O_NONBLOCK, so that a FIFO in its place does not keep us.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o640)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("app_log_file %q is a symlink; name the file itself", path)
	}
	if err != nil {
		return nil, fmt.Errorf("app_log_file: %w", err)
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("app_log_file %q is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// closeLater closes a file that a write may still be under way to.
func closeLater(w io.Writer) { time.AfterFunc(closePatience, func() { closeWriter(w) }) }

func closeWriter(w io.Writer) {
	if c, ok := w.(io.Closer); ok {
		c.Close()
	}
}
