package migrate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"passenger/lib/app"
	"passenger/lib/protocol"
)

// renamed are options of Phusion Passenger that have another name here.
var renamed = map[string]string{
	"app_env": "environment", "rails_env": "environment", "rack_env": "environment", "node_env": "environment", "wsgi_env": "environment",
	"rackup": "startup_file", "thread_count": "threads", "app_group_name": "name", "default_ruby": "ruby", "load_shell_envs": "load_shell_envvars",
	"server_name": "server_names", "rails_spawn_method": "spawn_method", "rails_app_spawner_idle_time": "max_preloader_idle_time", "max_instances_per_app": "max_instances",
	"response_buffer_high_water_mark": "response_buffer_high_watermark",
}

// passenger takes over an option of Phusion Passenger, by its name without the
// passenger_ of nginx.
func (d *draft) passenger(name string, it item) {
	key := name
	if renamed[name] != "" {
		key = renamed[name]
	}
	switch {
	case name == "app_group_name" || name == "name":
		appName(d, it)
	case name == "app_root":
		d.text(it, d.root)
	case name == "base_uri":
		d.text(it, func(it item, s string) { d.put(it, pair{"base_uri", s}) })
	case name == "read_timeout" && d.r.Format != "passenger":
		d.convert(it, "read_timeout", asMilliseconds)
	case name == "app_file_descriptor_ulimit":
		d.limit(it, "nofile")
	case name == "concurrency_model":
		d.r.note(it, Automatic, `"threads" over 1 is threads`)
	case name == "enabled":
		d.r.note(it, Automatic, "an app that is named is served")
	case slices.Contains(app.Keys(), key):
		d.fit(it, key)
	default:
		where := app.Instead(name)
		fate := ByHand
		if where == "" {
			where = "unknown here; look at what it is for"
		} else if strings.HasPrefix(where, "leave it out") {
			fate = Automatic
		}
		d.r.note(it, fate, where)
	}
}

// fit sets a key to a value of whatever kind the key takes.
func (d *draft) fit(it item, key string) {
	texts, ok := it.value.textsOf()
	if it.value.kind == object {
		d.fitObject(it, key)
		return
	}
	if !ok {
		d.r.notef(it, ByHand, "set %q: %v", key, it.value.unfit("a plain value"))
		return
	}
	candidates := []any{texts}
	if it.value.kind != list {
		candidates = []any{texts[0]}
		if on, err := asTruth(it.value); err == nil {
			candidates = append(candidates, on)
		}
		if n, err := it.value.number(); err == nil {
			candidates = append(candidates, json.Number(strconv.FormatFloat(n, 'f', -1, 64)))
		}
		candidates = append(candidates, texts)
	}
	for _, c := range candidates {
		if fits(key, c) {
			d.put(it, pair{key, c})
			return
		}
	}
	d.r.notef(it, ByHand, "set %q: its value is not of the kind that is needed", key)
}

func (d *draft) fitObject(it item, key string) {
	m := map[string]string{}
	for _, f := range it.value.fields {
		s, ok := f.value.textOf()
		if !ok {
			d.r.notef(it, ByHand, "set %q: %v", key, f.value.unfit("a text"))
			return
		}
		m[f.name] = s
	}
	if !fits(key, m) {
		d.r.notef(it, ByHand, "set %q: its value is not of the kind that is needed", key)
		return
	}
	d.put(it, pair{key, m})
}

// fits says that a key takes a value of this kind.
func fits(key string, v any) bool {
	b, err := json.Marshal(v)
	var c protocol.AppConfig
	return err == nil && json.Unmarshal(fmt.Appendf(nil, "{%q:%s}", key, b), &c) == nil
}
