package spawn

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"passenger/lib/account"
	"passenger/lib/control"
	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/security"
	"passenger/lib/spawn/children"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/process"
	"passenger/lib/spawn/switching"
)

// outputs are the logs that take what the processes write.
type outputs struct {
	log       output.Sink      // of the apps without a log file
	files     output.Files     // of the others
	switching *switching.Rules // see [Options]
	children  *children.Table  // open the files
}

// read starts to read what the process writes. It goes to the app's log
// file, if it has one that can be opened.
func (o *outputs) read(p *process.Process) error {
	r := p.Snapshot()
	if r.LogFile == "" {
		return p.Read(o.log, nil)
	}
	file, done, err := o.files.Use(r.LogFile, logUser(r), o.opener(r))
	if err != nil {
		slog.Error("log file not opened; the app's output goes to standard error", security.PathRefused.Attr(), "app", r.App, "pid", r.PID, "err", err)
		return p.Read(o.log, nil)
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
func (o *outputs) opener(r protocol.Process) output.Opener {
	return func(path string) (*os.File, error) {
		order := gate.Order{LogFile: path}
		if o.switching != nil {
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
			order.Change.Switch = &proc.User{UID: u.UID, GID: u.GID, Groups: groups}
		}
		ctx, cancel := context.WithTimeoutCause(context.Background(), logPatience, fmt.Errorf("app_log_file %q: not opened within %v", path, logPatience))
		defer cancel()
		_, file, err := o.children.Errand(ctx, order)
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
func (s *Spawner) ReopenLogs() error { return s.outputs.files.Reopen() }

// metrics count the lines that no log took.
func (o *outputs) metrics(m *control.Metrics) {
	if log, ok := o.log.(*output.Log); ok {
		m.Counter("passenger_output_dropped_lines_total", "Lines of apps that a log could not take.", float64(log.Dropped()), "log", "spawner")
		limited := log.Limited()
		for _, app := range slices.Sorted(maps.Keys(limited)) {
			m.Counter("passenger_output_limited_lines_total", "Lines that an app wrote into the spawner's log beyond its rate, which were dropped.", float64(limited[app]), "app", app)
		}
	}
	dropped := o.files.Dropped()
	for _, path := range slices.Sorted(maps.Keys(dropped)) {
		m.Counter("passenger_output_dropped_lines_total", "Lines of apps that a log could not take.", float64(dropped[path]), "log", path)
	}
}
