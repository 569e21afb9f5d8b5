package migrate

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"passenger/lib/app"
	"passenger/lib/protocol"
)

// A draft is an app whose settings are being read.
type draft struct {
	r      *reading
	config protocol.AppConfig

	// python is what the file says of an app in Python, until all of it is known.
	python struct {
		module, file, callable string
		asgi                   bool
	}
	green string // the class of workers for which Gunicorn goes on to run it
	found bool   // that the file says anything of the app
}

// draft begins an app. Its directory is the file's.
func (r *reading) draft() *draft {
	d := &draft{r: r, config: protocol.AppConfig{AppRoot: r.dir()}}
	r.drafts = append(r.drafts, d)
	return d
}

// A pair is a key of ours with its value.
type pair struct {
	key   string
	value any
}

// put sets keys of ours, all or none, and notes what became of the item.
func (d *draft) put(it item, pairs ...pair) {
	d.putWith(it, "", pairs...)
}

// putWith is put with a remark.
func (d *draft) putWith(it item, remark string, pairs ...pair) {
	if err := d.set(pairs...); err != nil {
		d.r.notef(it, ByHand, "it cannot be taken over: %v", err)
		return
	}
	keys := ""
	for _, p := range pairs {
		keys += ", " + p.key
	}
	if it.value != nil && it.value.variable != "" {
		remark += fmt.Sprintf("; $%s is not read any more, this was its default", it.value.variable)
	}
	d.r.note(it, Became, strings.TrimPrefix(keys, ", ")+remark)
}

// set sets keys, all or none. It refuses what the settings' own check refuses.
func (d *draft) set(pairs ...pair) error {
	next := d.config
	for _, p := range pairs {
		b, err := json.Marshal(p.value)
		if err != nil {
			return err
		}
		settingOf(&next, p.key).SetZero() // what is decoded into it would write into what another copy shares
		if err := app.Set(&next, p.key, string(b)); err != nil {
			return err
		}
		completed := app.WithDefaults(next)
		if settingOf(&next, p.key).IsZero() && !settingOf(&completed, p.key).IsZero() {
			return fmt.Errorf("%s is no value of %q, whose default would count", b, p.key)
		}
	}
	if err := check(next); err != nil {
		return err
	}
	d.config, d.found = next, true
	return nil
}

// settingOf is the field of a key.
func settingOf(c *protocol.AppConfig, key string) reflect.Value {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[protocol.AppConfig]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == key {
			return reflect.ValueOf(c).Elem().FieldByIndex(f.Index)
		}
	}
	panic("internal error: no setting is called " + key)
}

// check is the settings' own check. The app's directory need not be here.
func check(c protocol.AppConfig) error {
	if !filepath.IsAbs(c.AppRoot) || strings.ContainsRune(c.AppRoot, 0) {
		return fmt.Errorf("app_root %q is not an absolute path", c.AppRoot)
	}
	c = app.WithDefaults(c)
	c.AppRoot = "/"
	return app.Validate(c)
}

// variable adds an environment variable.
func (d *draft) variable(it item, name, value string) {
	switch name {
	case "PORT", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET":
		d.r.note(it, Automatic, "each process gets its own, and the proxy listens for clients")
		return
	case "RAILS_ENV", "RACK_ENV", "NODE_ENV", "WSGI_ENV", "PASSENGER_APP_ENV":
		d.put(it, pair{"environment", value})
		return
	}
	env := maps.Clone(d.config.EnvVars)
	if env == nil {
		env = map[string]string{}
	}
	env[name] = value
	d.put(it, pair{"envvars", env})
}

// root sets the app's directory; a relative one is below the file's.
func (d *draft) root(it item, dir string) {
	if !path.IsAbs(dir) {
		dir = path.Join(d.r.dir(), dir)
	}
	d.put(it, pair{"app_root", path.Clean(dir)})
}

// count sets how many processes there are, as servers do that do not scale.
func (d *draft) count(it item, n int64) {
	d.put(it, pair{"min_instances", n}, pair{"max_instances", n})
}

// module is the file of a Python module in the app's directory.
func (d *draft) moduleFile(module string) string {
	file := strings.ReplaceAll(module, ".", "/")
	if d.r.exists(path.Join(d.config.AppRoot, file, "__init__.py")) {
		return file + "/__init__.py"
	}
	return file + ".py"
}

// relative is a path as the app's directory has it, if it lies there.
func (d *draft) relative(file string) string {
	if rel, ok := strings.CutPrefix(file, strings.TrimSuffix(d.config.AppRoot, "/")+"/"); ok {
		return rel
	}
	return file
}

// startPython sets the startup file of an app in Python once all is known of it.
func (d *draft) startPython(it item) {
	p := &d.python
	file := p.file
	if p.module != "" {
		file = d.moduleFile(p.module)
	}
	if file == "" {
		return
	}
	file = d.relative(file)
	if p.callable != "" {
		file += ":" + p.callable
	}
	kind := protocol.TypeWSGI
	if p.asgi {
		kind = protocol.TypeASGI
	}
	d.put(it, pair{"app_type", kind}, pair{"startup_file", file})
}

// finish names the app, differently from those before, and says whether there is
// anything to it.
func (d *draft) finish(before []protocol.AppConfig) (protocol.AppConfig, bool) {
	if !d.found {
		return d.config, false
	}
	name := d.config.Name
	if name == "" {
		name = app.NameOf(d.config.AppRoot)
	}
	d.config.Name = name
	for n := 2; slices.ContainsFunc(before, func(c protocol.AppConfig) bool { return c.Name == d.config.Name }); n++ {
		suffix := fmt.Sprintf("-%d", n)
		d.config.Name = name[:min(len(name), 40-len(suffix))] + suffix
	}
	return d.config, true
}

// nameFor makes an app's name of one that a file has.
func nameFor(s string) string { return app.NameOf("/" + strings.ReplaceAll(s, "/", "-")) }
