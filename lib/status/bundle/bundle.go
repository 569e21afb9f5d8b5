// Package bundle gathers what a bug report needs in one tar: states, logs,
// metrics, versions, limits and control groups, without secrets.
package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"passenger/lib/statedir"
	"passenger/lib/status"
	"passenger/lib/status/event"
	"passenger/lib/status/machine"
	"passenger/lib/status/replay"
	"passenger/lib/status/scrape"
	"passenger/lib/visible"
)

// mostLogs is of how many apps the logs are taken, those in trouble first.
const mostLogs = 50

// A File is one of the tar.
type File struct {
	Name    string
	Content []byte
}

// A collection is what is gathered so far.
type collection struct {
	files   []File
	secrets secrets
}

// Gather asks the daemons and reads the system. A part that is down is no error:
// its files are missing, and status.txt says so.
func Gather(ctx context.Context, caller status.Caller, dir statedir.Dir) ([]File, error) {
	snapshot, err := caller.Gather(ctx, dir)
	if err != nil {
		return nil, err
	}
	st := snapshot.Status()
	c := &collection{secrets: secretsOf(snapshot)}
	c.text("status.txt", st.Text(status.Style{}))
	c.json("status.json", st)
	c.text("health.txt", st.Health(status.Limits{Warning: time.Second, Critical: 10 * time.Second}).Text())
	if snapshot.Processes != nil {
		c.json("spawn-processes.json", snapshot.Processes)
	}
	if snapshot.Preloaders != nil {
		c.json("spawn-preloaders.json", snapshot.Preloaders)
	}
	if snapshot.Apps != nil {
		c.json("pool-apps.json", c.secrets.apps(*snapshot.Apps))
	}
	if snapshot.Proxy != nil {
		c.json("proxy-apps.json", snapshot.Proxy)
	}
	c.json("routes.json", snapshot.Routes)
	c.requests(ctx, caller, dir)
	c.events(snapshot)
	c.replay(dir)
	c.text("metrics.txt", string(scrape.Ask(ctx, caller, dir)))
	c.text("memory.txt", machine.Look(st).Text(false))
	c.logs(ctx, caller, dir, st)
	c.system(st, caller)
	return c.files, nil
}

// text adds a text without the secrets that are known.
func (c *collection) text(name, text string) {
	c.files = append(c.files, File{name, []byte(c.secrets.text(text))})
}

// json adds a value. The secrets go before it is written: written, they may look
// different.
func (c *collection) json(name string, v any) {
	b, err := json.Marshal(v)
	if err == nil {
		b, err = c.secrets.json(b)
	}
	if err != nil {
		b = fmt.Appendf(nil, "internal error: %v\n", err)
	}
	c.files = append(c.files, File{name, b})
}

// requests adds the requests in flight, without who made them.
func (c *collection) requests(ctx context.Context, caller status.Caller, dir statedir.Dir) {
	list, err := caller.Requests(ctx, dir)
	if err != nil {
		return // status.txt says that the proxy does not answer
	}
	for i := range list {
		list[i].Client = ""
	}
	c.json("proxy-requests.json", list)
}

func (c *collection) events(s status.Snapshot) {
	var b strings.Builder
	for _, e := range event.Of(s) {
		b.WriteString(e.Text(false))
	}
	c.text("events.txt", b.String())
}

// recorded is how far back the recordings go that are taken.
const recorded = 15 * time.Minute

// replay adds what the daemons recorded, as far as we may read it.
func (c *collection) replay(dir statedir.Dir) {
	found, err := replay.Read(dir, replay.Query{Since: recorded, Step: 5 * time.Second})
	if err != nil {
		c.text("replay.txt", fmt.Sprintf("not read: %v\n", err))
		return
	}
	c.text("replay.txt", found.Text(false))
	c.json("replay.json", found)
}

// logs adds what the processes of each app wrote last.
func (c *collection) logs(ctx context.Context, caller status.Caller, dir statedir.Dir, st status.Status) {
	apps := slices.Clone(st.Apps)
	slices.SortStableFunc(apps, func(a, b status.App) int {
		return min(1, len(b.Trouble())) - min(1, len(a.Trouble()))
	})
	for i, a := range apps {
		if i == mostLogs {
			c.text("logs/MORE.txt", fmt.Sprintf("%d more apps\n", len(apps)-i))
			return
		}
		lines, err := caller.Logs(ctx, dir, a.Name)
		if err != nil {
			continue // it has no processes, or the spawner is down
		}
		var b strings.Builder
		for _, l := range lines {
			fmt.Fprintf(&b, "%s %d %s: %s\n", l.At.Format(time.RFC3339Nano), l.PID, l.Stream, visible.Line(l.Text))
		}
		c.text("logs/"+a.Name+".txt", b.String())
	}
}

// List names the files and their sizes.
func List(files []File) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%8d  %s\n", len(f.Content), f.Name)
	}
	return b.String()
}

// Write writes the tar, with all files in a directory.
func Write(w io.Writer, files []File, directory string, at time.Time) error {
	t := tar.NewWriter(w)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(directory, f.Name), Mode: 0o600, Size: int64(len(f.Content)), ModTime: at}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(t, bytes.NewReader(f.Content)); err != nil {
			return err
		}
	}
	return t.Close()
}
