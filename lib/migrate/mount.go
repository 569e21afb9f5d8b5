package migrate

import (
	"fmt"
	"maps"
	"path"
	"strings"
)

// mount takes over a directory whose files a server sends for the paths that begin
// with prefix, with or without a slash at its end.
func (d *draft) mount(it item, prefix, dir string) {
	below, ok := mountPoint(prefix, d.config.BaseURI)
	if !ok {
		d.r.note(it, ByHand, byPublic)
		return
	}
	mounts := maps.Clone(d.config.StaticMounts)
	if mounts == nil {
		mounts = map[string]string{}
	}
	mounts[below] = path.Clean(dir)
	d.put(it, pair{"static_mounts", mounts})
}

// cacheControl takes over how long the files below a prefix may be kept.
func (d *draft) cacheControl(it item, prefix, value string) {
	below, ok := mountPoint(prefix, d.config.BaseURI)
	if !ok {
		d.r.note(it, ByHand, `see "static_cache_control"`)
		return
	}
	values := maps.Clone(d.config.StaticCacheControl)
	if values == nil {
		values = map[string]string{}
	}
	if was := values[below]; was != "" && was != value {
		value = was + ", " + value
	}
	values[below] = value
	d.put(it, pair{"static_cache_control", values})
}

// mountPoint is a prefix as a mount of an app has it: below its base URI, with a
// slash at its end. ok is false for one that is not below, and for that of a file.
func mountPoint(prefix, base string) (below string, ok bool) {
	trimmed := strings.Trim(prefix, "/")
	if strings.Contains(path.Base(trimmed), ".") {
		return "", false
	}
	below = "/" + trimmed + "/"
	if trimmed == "" {
		below = "/"
	}
	if base = strings.Trim(base, "/"); base != "" {
		return strings.CutPrefix(below, "/"+base)
	}
	return below, true
}

// served takes over a location whose files the web server sends by itself, and says
// whether it is one. Without an app around it, the note tells what that app needs.
func (w webServer) served(place *directive) bool {
	if place.name != "location" || len(place.args) == 0 {
		return false
	}
	kind, prefix := "", place.args[len(place.args)-1]
	if len(place.args) > 1 {
		kind = place.args[0]
	}
	for _, o := range place.inside {
		if o.block || len(o.args) != 1 || o.name != "alias" && o.name != "root" || kind != "" && kind != "^~" {
			continue
		}
		dir := o.args[0]
		if o.name == "root" {
			dir = path.Join(dir, prefix)
		}
		if !path.IsAbs(dir) || strings.Contains(dir, "$") {
			continue
		}
		o.taken = true
		if w.host == nil {
			w.note(o.single(), ByHand, forMount(prefix, dir))
			w.note(item{place.head(), place.line, nil}, ByHand, forMount(prefix, dir))
			return true
		}
		w.host.mount(o.single(), prefix, dir)
		w.note(item{place.head(), place.line, nil}, Automatic, "the notes below tell of what is inside")
		w.kept(place, prefix)
		return true
	}
	return false
}

// forMount says what the app needs for files that a web server sends beside it.
func forMount(prefix, dir string) string {
	below, ok := mountPoint(prefix, "")
	if !ok {
		return byPublic
	}
	return fmt.Sprintf(`give the app "static_mounts": {%q: %q}, if no web server stays in front`, below, path.Clean(dir))
}

// kept takes over how long clients may keep the files of a location.
func (w webServer) kept(place *directive, prefix string) {
	for _, o := range place.inside {
		value := ""
		switch {
		case o.name == "expires" && len(o.args) == 1:
			value = expires(o.args[0])
		case o.name == "add_header" && len(o.args) >= 2 && strings.EqualFold(o.args[0], "Cache-Control"):
			value = o.args[1]
		}
		if value == "" || strings.Contains(value, "$") {
			continue
		}
		o.taken = true
		w.host.cacheControl(o.item(), prefix, value)
	}
}

// expires is the Cache-Control of nginx's expires, empty for one that is not
// known here.
func expires(s string) string {
	switch s {
	case "max":
		return "max-age=315360000"
	case "epoch", "-1":
		return "no-cache"
	}
	seconds := map[byte]int{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400, 'M': 30 * 86400, 'y': 365 * 86400}
	var n int
	var unit byte
	if _, err := fmt.Sscanf(s, "%d%c", &n, &unit); err != nil || n < 0 || n > 1000 || seconds[unit] == 0 || fmt.Sprintf("%d%c", n, unit) != s {
		return ""
	}
	return fmt.Sprintf("max-age=%d", n*seconds[unit])
}

// staticMap takes over uWSGI's MOUNTPOINT=DIRECTORY.
func staticMap(d *draft, it item) {
	s, ok := it.value.textOf()
	prefix, dir, cut := strings.Cut(s, "=")
	if !ok || !cut || dir == "" {
		d.r.note(it, ByHand, byPublic)
		return
	}
	d.mount(it, prefix, dir)
}
