package migrate

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// app takes over the directives of a place that is an app. The document root comes
// first: other directives overrule what follows from it.
func (w webServer) app(place *directive, all []*directive) *draft {
	d := w.draft()
	d.found = true
	w.skip(place.line, place.line)
	for _, o := range all {
		if o.name == "root" && len(o.args) == 1 {
			d.documentRoot(o, named(all, "passenger_app_root"))
		}
	}
	based := has(all, "passenger_base_uri")
	for _, o := range all {
		w.setting(d, o)
	}
	if place.name == "location" && !based && len(place.args) > 0 {
		w.locate(d, place)
	}
	return d
}

// named is the argument of the last directive of a name.
func named(list []*directive, name string) string {
	for _, d := range slices.Backward(list) {
		if d.name == name && len(d.args) == 1 {
			return d.args[0]
		}
	}
	return ""
}

// documentRoot takes over where the files of an app are: its public directory, if
// the app's root is not named apart from it.
func (d *draft) documentRoot(o *directive, appRoot string) {
	it := o.single()
	root := path.Clean(o.args[0])
	if !path.IsAbs(root) || strings.Contains(root, "$") {
		d.r.note(it, ByHand, `set "app_root": the path is not absolute`)
		return
	}
	parent, base := path.Dir(root), path.Base(root)
	switch own := path.Clean(appRoot); {
	case appRoot != "" && own != parent:
		d.put(it, pair{"static_files_dir", root})
	case base != "public":
		d.put(it, pair{"app_root", parent}, pair{"static_files_dir", base})
	default:
		d.put(it, pair{"app_root", parent})
	}
}

// locate mounts an app at its location's path.
func (w webServer) locate(d *draft, place *directive) {
	it := item{place.head(), place.line, nil}
	base := strings.TrimSuffix(place.args[len(place.args)-1], "/")
	switch {
	case base == "":
		w.note(it, Automatic, "an app gets all paths")
	case place.args[0] == "~" || place.args[0] == "~*" || strings.ContainsAny(base, "^$()*"):
		w.note(it, ByHand, `set "base_uri": the path is a pattern`)
	default:
		d.put(it, pair{"base_uri", base})
	}
}

// setting takes over one directive of an app.
func (w webServer) setting(d *draft, o *directive) {
	it := o.single()
	o.taken = true
	switch name := strings.TrimPrefix(o.name, "passenger_"); {
	case o.name == "root":
		if len(o.args) != 1 {
			w.note(it, ByHand, `set "app_root"`)
		}
	case o.name == "alias":
		w.note(it, Automatic, `the files of an app are in its "static_files_dir"`)
	case o.name == "server_name":
		w.serverNames(d, o)
	case o.name == "setenv" || name == "env_var":
		if len(o.args) != 2 {
			w.note(it, ByHand, `it has not a name and a value; see "envvars"`)
			return
		}
		it.name += " " + shortened(o.args[0])
		d.variable(it, o.args[0], o.args[1])
	case name == "document_root":
		d.text(it, func(it item, s string) { d.put(it, pair{"static_files_dir", s}) })
	case name == "set_header":
		w.note(it, ByHand, inFront+": proxy_set_header")
	case name == "pre_start":
		w.note(it, Automatic, `"min_instances" processes are started at once`)
	case name == "root" || name == "instance_registry_dir":
		w.note(it, Automatic, "there is no module in the web server")
	default:
		d.passenger(name, it)
	}
}

// serverNames takes over the host names of an app, as far as they are names.
func (w webServer) serverNames(d *draft, o *directive) {
	names := slices.Clone(d.config.ServerNames)
	others := ""
	for _, n := range o.args {
		if n == "_" || n == "" || n == "localhost" && len(o.args) == 1 || strings.ContainsAny(strings.TrimPrefix(n, "*."), "~*$^") {
			others += fmt.Sprintf(" %q", n)
			continue
		}
		n = strings.TrimPrefix(n, ".") // and all below it
		if host, _, ok := strings.Cut(n, ":"); ok && !strings.HasPrefix(n, "[") {
			n = host
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	switch {
	case len(names) == 0:
		w.note(o.item(), Automatic, "an app answers to all names that no other has")
	case others != "":
		d.putWith(o.item(), ", but not for"+shortened(others), pair{"server_names", names})
	default:
		d.put(o.item(), pair{"server_names", names})
	}
}

// elsewhere notes a directive that is not about apps.
func (w webServer) elsewhere(d *directive) {
	hints := map[string]string{
		"listen": "", "include": "import that file, too", "ssl_certificate": byProxyTLS, "ssl_certificate_key": byProxyTLS, "sslcertificatefile": byProxyTLS, "sslcertificatekeyfile": byProxyTLS,
		"sslengine": byProxyTLS, "access_log": byAccessLog, "customlog": byAccessLog, "includeoptional": "import those files, too",
		"client_max_body_size": `use "max_request_body_size"`, "limitrequestbody": `use "max_request_body_size"`, "set_real_ip_from": byTrusted, "real_ip_header": byTrusted,
	}
	it := d.item()
	hint, known := hints[d.name]
	switch {
	case d.name == "listen" && len(d.args) > 0:
		it.value.items = it.value.items[:1]
		for _, a := range d.args[1:] {
			if a == "ssl" {
				it.value.items[0].text = "ssl://" + address(d.args[0])
			}
		}
		listenAt(w.reading, it)
	case d.name == "alias_path" && len(d.args) == 2 && w.host != nil:
		w.host.mount(it, d.args[0], d.args[1])
	case d.name == "alias_path" && len(d.args) == 2:
		w.note(it, ByHand, forMount(d.args[0], d.args[1]))
	case d.name == "loadmodule" && len(d.args) > 0 && strings.Contains(d.args[0], "passenger"):
		w.note(it, Automatic, "there is no module in the web server")
	case known:
		w.note(it, ByHand, hint)
	default:
		w.note(it, ByHand, inFront)
	}
}

// listenAt is listen for what is of no app.
func listenAt(r *reading, it item) { listen(&draft{r: r}, it) }
