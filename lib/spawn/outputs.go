package spawn

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"passenger/lib/account"
	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/security"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/process"
)

// readOutput starts to read what the process writes. It goes to the app's log
// file, if it has one that can be opened.
func (s *Spawner) readOutput(p *process.Process) error {
	r := p.Snapshot()
	if r.LogFile == "" {
		return p.Read(s.Log, nil)
	}
	file, done, err := s.logFiles.Use(r.LogFile, logUser(r), s.opener(r))
	if err != nil {
		slog.Error("log file not opened; the app's output goes to standard error", security.PathRefused.Attr(), "app", r.App, "pid", r.PID, "err", err)
		return p.Read(s.Log, nil)
	}
	return p.Read(file, done)
}

// logPatience is how long a log file may take to be opened.
const logPatience = 5 * time.Second

// logUser is the user and group that opens the process's log file.
func logUser(r protocol.Process) string {
	if r.GID == nil {
		return r.User
	}
	return fmt.Sprintf("%s:%d", r.User, *r.GID)
}

// opener opens log files as the user and group that the process runs as, in a
// process of its own: the app's user chose the path, and perhaps a file system
// that does not answer.
func (s *Spawner) opener(r protocol.Process) output.Opener {
	return func(path string) (*os.File, error) {
		o := gate.Order{LogFile: path}
		if s.Switching != nil {
			u, err := account.System.User(r.User)
			if err != nil {
				return nil, err
			}
			if r.GID != nil {
				u.GID = *r.GID
			}
			groups, err := account.System.GroupsOf(u, u.GID)
			if err != nil {
				return nil, err
			}
			o.Change.Switch = &proc.User{UID: u.UID, GID: u.GID, Groups: groups}
		}
		ctx, cancel := context.WithTimeoutCause(context.Background(), logPatience, fmt.Errorf("app_log_file %q: not opened within %v", path, logPatience))
		defer cancel()
		_, file, err := s.children.Errand(ctx, o)
		return file, err
	}
}

// logPath is the app's log file, empty if it has none. root is the app's
// directory.
func logPath(c protocol.AppConfig, root string) string {
	if c.LogFile == "" || filepath.IsAbs(c.LogFile) {
		return c.LogFile
	}
	return filepath.Join(root, c.LogFile)
}

// ReopenLogs opens the apps' log files anew, after they were rotated.
func (s *Spawner) ReopenLogs() error { return s.logFiles.Reopen() }

// Output returns the last lines that a process wrote, or [ErrUnknown].
func (s *Spawner) Output(id string) (protocol.Output, error) {
	if p := s.find(id); p != nil {
		return lastLines(p)
	}
	return protocol.Output{}, fmt.Errorf("process %q: %w", id, ErrUnknown)
}

// PreloaderOutput is Output of a preloader.
func (s *Spawner) PreloaderOutput(id string) (protocol.Output, error) {
	s.mu.Lock()
	i := slices.IndexFunc(s.preloaders, func(l *preloader) bool { return l.Snapshot().ID == id })
	var p *process.Process
	if i >= 0 {
		p = s.preloaders[i].Process
	}
	s.mu.Unlock()
	if p == nil {
		return protocol.Output{}, fmt.Errorf("preloader %q: %w", id, ErrUnknown)
	}
	return lastLines(p)
}

// lastLines is what p wrote last. One whose output was never read is unknown.
func lastLines(p *process.Process) (protocol.Output, error) {
	lines, read := p.LastLines()
	if !read {
		return protocol.Output{}, fmt.Errorf("process %q: %w", p.Snapshot().ID, ErrUnknown)
	}
	out := protocol.Output{Lines: []protocol.OutputLine{}}
	for _, line := range lines {
		out.Lines = append(out.Lines, protocol.OutputLine{At: line.At, Stream: string(line.Stream), Text: line.Text})
	}
	return out, nil
}
