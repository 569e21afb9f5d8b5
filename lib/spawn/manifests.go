package spawn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/security"
	"passenger/lib/spawn/children"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/process"
	"passenger/lib/spawn/survey"
	"passenger/lib/spawn/switching"
	"passenger/lib/statedir"
)

// inspectPatience is how long a look at a release may take, with the start of the
// process that looks. shownChanges is of how many files it tells.
const (
	inspectPatience = 10 * time.Second
	shownChanges    = 20
)

// manifests are those of the releases that the generations were started from. They
// lie in the state directory, for a later spawner.
type manifests struct {
	watched   bool // the releases are; else there are no manifests
	dir       statedir.Dir
	switching *switching.Rules // see [Options]
	children  *children.Table  // have a look
	publish   func()           // tells of a process whose release changed
}

// inspect looks at the files that a process of the generation has loaded, which
// serves already. The first time it keeps the manifest, later it tells of what is
// not as it was then.
func (ms *manifests) inspect(g *generation, p *process.Process, c protocol.AppConfig) {
	g.watching.Lock()
	defer g.watching.Unlock()
	before := ms.of(g)
	now, err := ms.take(g, c, before)
	switch {
	case err != nil:
		slog.Warn("release not looked at", "app", g.app, "generation", g.number, "err", err)
	case before == nil || before.Release != now.Release:
		ms.store(g, now)
	default:
		ms.tellChanges(g, p, before.Differ(now))
	}
}

// take has a process look, as the user that the release is read as.
func (ms *manifests) take(g *generation, c protocol.AppConfig, before *survey.Manifest) (*survey.Manifest, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), inspectPatience, fmt.Errorf("it took over %v", inspectPatience))
	defer cancel()
	q := survey.Question{Config: c, Release: g.released(c.AppRoot)}
	if ms.switching != nil {
		q.Switches = &survey.Switches{DefaultUser: ms.switching.RunAs.DefaultUser}
	}
	said, _, err := ms.children.Errand(ctx, gate.Order{Manifest: &survey.ManifestQuestion{Question: q, Before: before}})
	if err == nil && said.Manifest == nil {
		err = errors.New("the process for it ended")
	}
	return said.Manifest, err
}

func (ms *manifests) tellChanges(g *generation, p *process.Process, paths []string) {
	if len(paths) == 0 {
		return
	}
	shown := slices.Clone(paths[:min(len(paths), shownChanges)])
	r := p.Snapshot()
	slog.Warn("release changed under its generation", security.ReleaseChanged.Attr(), "app", g.app, "pid", r.PID, "generation", g.number,
		"release", r.AppRoot, "changed", len(paths), "files", shown)
	p.Change(func(r *protocol.Process) { r.ReleaseChanged = shown })
	ms.publish()
}

// of returns the generation's manifest, which an earlier spawner may have taken,
// nil if there is none. The caller holds g.watching.
func (ms *manifests) of(g *generation) *survey.Manifest {
	if g.manifest != nil {
		return g.manifest
	}
	m := &survey.Manifest{}
	err := statedir.ReadJSON(ms.path(g.app, g.number), m)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		slog.Warn("manifest of a release not read; another is taken", "app", g.app, "err", err)
		return nil
	}
	g.manifest = m
	return m
}

// store keeps it for the later processes of the generation, also those of
// a later spawner.
func (ms *manifests) store(g *generation, m *survey.Manifest) {
	g.manifest = m
	if m.Partial != "" {
		slog.Info("release is watched in part", "app", g.app, "generation", g.number, "files", len(m.Files), "reason", m.Partial)
	}
	err := ms.makeDirectory()
	if err == nil {
		err = statedir.WriteJSON(ms.path(g.app, g.number), m)
	}
	if err != nil {
		slog.Warn("manifest of a release not written; a later spawner takes another", "app", g.app, "generation", g.number, "err", err)
	}
}

func (ms *manifests) path(app string, generation int) string {
	return filepath.Join(ms.dir.Releases(), fmt.Sprintf("%s.%d.json", app, generation))
}

// makeDirectory makes the directory of manifests. In a state directory that a
// group shares, another could have made it before.
func (ms *manifests) makeDirectory() error {
	if err := os.Mkdir(ms.dir.Releases(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fi, err := os.Lstat(ms.dir.Releases())
	if err != nil {
		return err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); !ok || !fi.IsDir() || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a directory of ours", ms.dir.Releases())
	}
	return nil
}

// clear removes those of all other generations than these, which have processes.
func (ms *manifests) clear(generations []*generation) {
	if !ms.watched || ms.makeDirectory() != nil {
		return // there is none that is ours
	}
	alive := map[string]bool{}
	for _, g := range generations {
		alive[ms.path(g.app, g.number)] = true
	}
	entries, err := os.ReadDir(ms.dir.Releases())
	for _, e := range entries {
		if path := filepath.Join(ms.dir.Releases(), e.Name()); !alive[path] {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		slog.Warn("old manifests of releases not removed", "err", err)
	}
}

// drop removes the manifest of a generation that is over.
func (ms *manifests) drop(g *generation) {
	if !ms.watched {
		return
	}
	if err := os.Remove(ms.path(g.app, g.number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		slog.Warn("manifest of a release not removed", "app", g.app, "generation", g.number, "err", err)
	}
}
