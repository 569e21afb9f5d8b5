package owner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"passenger/lib/account"
	"passenger/lib/app"
	"passenger/lib/protocol"
	"passenger/lib/security"
)

// A catalog says where the settings of each app are.
type catalog map[string]origin

// An origin is where the settings of one app are.
type origin struct {
	kind string
	path string // of a directory for named, else of a file
}

// Kinds of origins, as people are told.
const (
	named = "named on the command line"
	fixed = "written by the administrator"
	added = "added at run time"
)

// An entry is one app with its settings, complete and valid, or why it has
// none.
type entry struct {
	origin
	settings
	err error
}

// Settings are those of an app, complete, and of those that name files the keys
// which stand in the app's own directory alone.
type settings struct {
	config protocol.AppConfig
	byApp  []string
	claim  claim
}

// entries reads the settings of all apps: named ones, those of the
// administrator, those added.
func (f Files) entries() []entry {
	var list []entry
	for _, dir := range f.Named {
		list = append(list, f.entry(origin{named, dir}))
	}
	for _, dir := range []origin{{fixed, f.Fixed}, {added, f.Added}} {
		if dir.path == "" {
			continue
		}
		// Glob leaves out what it cannot read; the directory was opened before.
		paths, _ := filepath.Glob(filepath.Join(dir.path, "*.json"))
		for _, path := range paths {
			list = append(list, f.entry(origin{dir.kind, path}))
		}
	}
	administratorsFirst(list)
	return list
}

func (f Files) entry(from origin) entry {
	e := entry{origin: from}
	e.settings, e.err = f.read(from)
	return e
}

// maxReason is how much is told of why settings are wrong, in bytes: their values
// are the app's words.
const maxReason = 8 << 10

// read reads the settings of one app.
func (f Files) read(from origin) (settings, error) {
	s, err := f.readWhole(from)
	if err != nil {
		if text := err.Error(); len(text) > maxReason {
			err = errors.New(text[:maxReason] + "...")
		}
	}
	return s, err
}

func (f Files) readWhole(from origin) (settings, error) {
	if from.kind != named {
		c, err := app.Read(from.path)
		if err != nil {
			return settings{}, err
		}
		if c.Name == "" {
			c.Name = from.name()
		}
		s, err := complete(c)
		if err != nil {
			err = fmt.Errorf("%s: %w", from.path, err)
		}
		return s, err
	}
	c, author, err := app.LoadSigned(from.path)
	if err != nil {
		return settings{}, err
	}
	own := c
	var over protocol.AppConfig
	for _, setting := range f.Settings {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			return settings{}, fmt.Errorf("setting %q is not KEY=VALUE", setting)
		}
		key, unless := strings.CutSuffix(key, "?")
		if unless && names(own, key) {
			continue
		}
		if err := errors.Join(app.Set(&c, key, value), app.Set(&over, key, value)); err != nil {
			return settings{}, err
		}
	}
	c = app.WithDefaults(c)
	return settings{c, byApp(own.Serving, over.Serving), claimOf(c, over.ServerNames == nil && own.ServerNames != nil, author)}, valid(c)
}

// names says whether settings have a key.
func names(c protocol.AppConfig, key string) bool {
	values, err := valuesOf(c)
	return err == nil && values[key] != nil // what is not set is not there
}

// complete lays settings over those in the app's own directory, and fills in
// the defaults.
func complete(over protocol.AppConfig) (settings, error) {
	if !filepath.IsAbs(over.AppRoot) {
		return settings{}, fmt.Errorf("app_root %q is not an absolute path", over.AppRoot)
	}
	c, author, err := app.LoadSigned(over.AppRoot)
	if err != nil {
		return settings{}, err
	}
	own := c
	b, err := json.Marshal(over)
	if err == nil {
		err = json.Unmarshal(b, &c) // what is not set is not in b
	}
	if err != nil {
		return settings{}, fmt.Errorf("internal error: %w", err)
	}
	c.Unused = append(c.Unused, over.Unused...)
	c = app.WithDefaults(c)
	return settings{c, byApp(own.Serving, over.Serving), claimOf(c, over.ServerNames == nil && own.ServerNames != nil, author)}, valid(c)
}

// byApp names the settings of own that name files and that nothing is laid
// over.
func byApp(own, over protocol.Serving) (keys []string) {
	for _, s := range []struct {
		key        string
		own, other bool
	}{
		{"custom_error_page", own.ErrorPage != "", over.ErrorPage != ""},
		{"maintenance_page", own.MaintenancePage != "", over.MaintenancePage != ""},
		{"sendfile_dirs", own.SendfileDirs != nil, over.SendfileDirs != nil},
		{"static_files_dir", own.StaticDir != "", over.StaticDir != ""},
	} {
		if s.own && !s.other {
			keys = append(keys, s.key)
		}
	}
	for prefix := range own.AccelLocations {
		if _, ok := over.AccelLocations[prefix]; !ok {
			keys = append(keys, protocol.AccelLocationKey(prefix))
		}
	}
	for prefix := range own.StaticMounts {
		if _, ok := over.StaticMounts[prefix]; !ok {
			keys = append(keys, protocol.StaticMountKey(prefix))
		}
	}
	slices.Sort(keys)
	return keys
}

// valid says what is wrong with complete settings.
func valid(c protocol.AppConfig) error {
	if err := app.Validate(c); err != nil {
		return err
	}
	if c.User != "" {
		if _, err := account.System.User(c.User); err != nil {
			return fmt.Errorf("app %q: %w", c.Name, err)
		}
	}
	if c.Group != "" && c.Group != groupOfFile {
		if _, err := account.System.Group(c.Group); err != nil {
			return fmt.Errorf("app %q: %w", c.Name, err)
		}
	}
	return nil
}

// groupOfFile is a group that stands for that of the startup file.
const groupOfFile = "!STARTUP_FILE!"

// load puts all apps into a pool that does not run yet.
func (o *Owner) load() error {
	if err := o.files.check(); err != nil {
		return err
	}
	var refused []protocol.Refusal
	for _, e := range o.files.entries() {
		err := o.take(time.Now(), e)
		if err == nil {
			e.warn()
		}
		if err != nil && e.kind == named && !o.comesBack() {
			return err
		}
		if err != nil {
			refused = append(refused, o.refusal(e.origin, e.config, err))
			slog.Error("app refused", security.SettingsRefused.Attr(), "file", e.path, "err", err)
		}
	}
	o.refused.replace(refused)
	o.pool.Hold(len(refused) > 0)
	return nil
}

// comesBack says that processes of a former pool run. They need a pool, whatever
// has become of the settings of one app meanwhile.
func (o *Owner) comesBack() bool {
	for _, r := range o.written.Apps {
		for _, p := range r.Processes {
			if p.PID > 1 && !errors.Is(syscall.Kill(p.PID, 0), syscall.ESRCH) {
				return true
			}
		}
	}
	return false
}

func (f Files) check() error {
	if f.Fixed == "" {
		return nil
	}
	if _, err := os.ReadDir(f.Fixed); err != nil {
		return fmt.Errorf("apps directory: %w", err)
	}
	return nil
}

// take puts an app into the pool unless it cannot be beside the others.
func (o *Owner) take(now time.Time, e entry) error {
	if e.err != nil {
		return e.err
	}
	if at, taken := o.catalog[e.config.Name]; taken && at != e.origin {
		return fmt.Errorf("%s and %s both name an app %q", at.path, e.path, e.config.Name)
	}
	if err := o.claims.check(e.config.Name, e.claim); err != nil {
		return err
	}
	if err := o.pool.Check(e.config); err != nil {
		return err
	}
	o.pool.Put(now, e.config, e.byApp...)
	o.catalog[e.config.Name], o.claims[e.config.Name] = e.origin, e.claim
	return nil
}

// warn logs which settings of an app that was taken have no effect.
func (e entry) warn() {
	for _, w := range app.Warnings(e.config) {
		slog.Warn("setting without effect", "app", e.config.Name, "warning", w)
	}
}

// dropped returns the apps of the administrator whose files are gone.
func (c catalog) dropped(list []entry) []string {
	var names []string
	for name, from := range c {
		if from.kind == fixed && !slices.ContainsFunc(list, func(e entry) bool { return e.origin == from }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// removeFile reports whether there was one.
func removeFile(path string) (bool, error) {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
