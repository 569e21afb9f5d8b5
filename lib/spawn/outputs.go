package spawn

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"passenger/lib/account"
	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/gate"
)

// readOutput starts to read what the process writes. It goes to the app's log
// file, if it has one that can be opened.
func (s *Spawner) readOutput(p *process) error {
	r := p.snapshot()
	from := &output.Source{App: r.App, Environment: r.Environment, ID: r.ID, Generation: r.Generation, PID: r.PID}
	sink := s.Log
	if r.LogFile != "" {
		file, done, err := s.logFiles.Use(r.LogFile, logUser(r), s.opener(r))
		if err != nil {
			slog.Error("log file not opened; the output goes where ours goes", "app", r.App, "pid", r.PID, "err", err)
		} else {
			sink, p.leaveLog = file, done
		}
	}
	if n, ok := sink.(*output.Novel); ok && r.State == protocol.Starting {
		n.Begin(from)
		p.shown = func(ready bool) { tellStart(n, from, ready) }
	}
	var err error
	p.out, err = output.Read(p.dir.Stdout(), p.dir.Stderr(), from, sink)
	return err
}

// logPatience is how long a log file may take to be opened.
const logPatience = 5 * time.Second

// logUser is as whom the process's log file is opened.
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
		_, file, err := s.children.errand(ctx, o)
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
	p := s.find(id)
	if p == nil || p.out == nil {
		return protocol.Output{}, fmt.Errorf("process %q: %w", id, ErrUnknown)
	}
	out := protocol.Output{Lines: []protocol.OutputLine{}}
	for _, line := range p.out.Last() {
		out.Lines = append(out.Lines, protocol.OutputLine{At: line.At, Stream: string(line.Stream), Text: line.Text})
	}
	return out, nil
}
