package migrate

import (
	"fmt"
	"path"
	"strings"
)

// A unitFile is a configuration of NGINX Unit.
type unitFile struct {
	*reading
	apps map[string]*draft
}

// readUnit reads the JSON that Unit's control socket takes and gives.
func readUnit(r *reading) error {
	root, err := javaScript.strict(r.text)
	if err != nil {
		return err
	}
	if config := root.field("config"); config != nil && config.kind == object && root.field("applications") == nil {
		r.literal(root)
		for _, f := range root.fields {
			if f.name == "config" {
				r.opens(f.line)
				continue
			}
			r.note(item(f), ByHand, byProxyTLS)
		}
		root = config
	} else {
		r.literal(root)
	}
	u := unitFile{r, map[string]*draft{}}
	for _, f := range root.fields { // before what names them
		if f.name == "applications" && f.value.kind == object {
			r.opens(f.line)
			for _, a := range f.value.fields {
				u.application(a)
			}
		}
	}
	for _, f := range root.fields {
		u.section(f)
	}
	return nil
}

func (u unitFile) section(f field) {
	it := item(f)
	switch f.name {
	case "applications":
		if f.value.kind != object {
			u.note(it, ByHand, "it is not an object of applications")
		}
	case "listeners":
		u.opens(f.line)
		for _, l := range f.value.fields {
			u.listener(l)
		}
	case "routes":
		u.opens(f.line)
		u.routes("routes", f.value)
	case "access_log":
		u.note(it, ByHand, byAccessLog)
	case "upstreams":
		u.note(it, ByHand, "a balancer in front has to have other machines")
	case "settings":
		u.note(it, ByHand, "limits of the proxy are its flags; see passenger-proxy(1)")
	case "certificates":
		u.note(it, ByHand, byProxyTLS)
	default:
		u.note(it, ByHand, "unknown here; look at what it is for")
	}
}

func (u unitFile) listener(l field) {
	name := "listeners." + l.name
	at := item{name, l.line, nil}
	if tls := l.value.field("tls"); tls != nil {
		u.notef(at, ByHand, "the proxy listens: passenger-proxy serve --listen tls:%s --certificate FILE --key FILE", shortened(address(l.name)))
	} else {
		u.notef(at, ByHand, "the proxy listens: passenger-proxy serve --listen %s", shortened(address(l.name)))
	}
	for _, f := range l.value.fields {
		it := item{name + "." + f.name, f.line, f.value}
		switch f.name {
		case "pass":
			u.note(it, Automatic, `an app is found by its "server_names" and its "base_uri"`)
		case "tls":
			u.note(it, ByHand, byProxyTLS)
		case "forwarded", "client_ip":
			u.note(it, ByHand, byTrusted)
		case "backlog":
			u.note(it, Automatic, byProxy)
		default:
			u.note(it, ByHand, "unknown here; look at what it is for")
		}
	}
}

// routes takes over a list of steps, or several lists by name.
func (u unitFile) routes(name string, v *value) {
	switch v.kind {
	case object:
		for _, f := range v.fields {
			u.opens(f.line)
			u.routes(name+"."+f.name, f.value)
		}
	case list:
		for i, step := range v.items {
			u.step(fmt.Sprintf("%s[%d]", name, i), step)
		}
	default:
		u.note(item{name, v.line, v}, ByHand, "it is not a list of routes")
	}
}

// step takes over which requests go to which app.
func (u unitFile) step(name string, step *value) {
	u.opens(step.line)
	target, mounts := u.target(step.field("action")), u.mounts(step)
	for _, f := range step.fields {
		u.opens(f.line)
		if f.value.kind != object {
			u.note(item{name + "." + f.name, f.line, f.value}, ByHand, "unknown here; look at what it is for")
			continue
		}
		for _, part := range f.value.fields {
			it := item{name + "." + f.name + "." + part.name, part.line, part.value}
			switch {
			case mounts != nil && f.name == "match" && part.name == "uri":
				u.note(it, Automatic, "the note on what is shared tells of it")
			case mounts != nil && f.name == "action" && part.name == "share":
				u.shared(step, mounts, it)
			case f.name == "match":
				u.match(target, part.name, it)
			default:
				u.action(target, part.name, it)
			}
		}
	}
}

// mounts are the beginnings of the paths for which a step shares a directory, nil if
// it does not do that alone.
func (u unitFile) mounts(step *value) (prefixes []string) {
	match := step.field("match")
	dir, ok := step.field("action").field("share").textOf()
	texts, listed := match.field("uri").textsOf()
	if !ok || !listed || len(match.fields) != 1 || !strings.HasSuffix(dir, "$uri") || u.served(step) == nil {
		return nil
	}
	for _, t := range texts {
		prefix, whole := strings.CutSuffix(t, "/*")
		if !whole || prefix == "" || strings.ContainsAny(prefix, "*!~$") {
			return nil
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes
}

// shared takes over the directory of such a step.
func (u unitFile) shared(step *value, prefixes []string, it item) {
	dir, _ := it.value.textOf()
	dir = strings.TrimSuffix(dir, "$uri")
	for _, prefix := range prefixes {
		u.served(step).mount(it, prefix, path.Join(dir, prefix))
	}
}

// served is the app whose files a step shares: the one that it names, or else the
// only one that there is.
func (u unitFile) served(step *value) *draft {
	if target := u.target(step.field("action")); target != nil {
		return target
	}
	for _, d := range u.apps {
		if len(u.apps) == 1 {
			return d
		}
	}
	return nil
}

// target is the app that an action passes to, be it when there is no such file.
func (u unitFile) target(action *value) *draft {
	for range 4 {
		if pass, ok := action.field("pass").textOf(); ok {
			name, _, _ := strings.Cut(strings.TrimPrefix(pass, "applications/"), "/")
			if strings.HasPrefix(pass, "applications/") {
				return u.apps[name]
			}
			return nil
		}
		action = action.field("fallback")
	}
	return nil
}

func (u unitFile) match(target *draft, name string, it item) {
	texts, ok := it.value.textsOf()
	switch {
	case name == "host" && target != nil && ok && plainHosts(texts):
		target.put(it, pair{"server_names", append(append([]string{}, target.config.ServerNames...), texts...)})
	case name == "uri" && len(texts) == 1 && (texts[0] == "*" || texts[0] == "/*"):
		u.note(it, Automatic, "an app gets all paths")
	case name == "uri":
		u.note(it, ByHand, `"base_uri" is the path of an app; other paths the web server in front, or the app, has to tell apart`)
	default:
		u.note(it, ByHand, `an app is found by its "server_names" and its "base_uri" alone`)
	}
}

func plainHosts(names []string) bool {
	for _, n := range names {
		if strings.ContainsAny(strings.TrimPrefix(n, "*."), "*!~:/ ") {
			return false
		}
	}
	return len(names) > 0
}

func (u unitFile) action(target *draft, name string, it item) {
	switch name {
	case "pass":
		u.note(it, Automatic, `an app is found by its "server_names" and its "base_uri"`)
	case "share":
		dir, ok := it.value.textOf()
		dir, whole := strings.CutSuffix(dir, "$uri")
		if ok && whole && target != nil && path.IsAbs(dir) && !strings.Contains(dir, "$") {
			target.put(it, pair{"static_files_dir", path.Clean(dir)})
			return
		}
		u.note(it, ByHand, byPublic)
	case "fallback":
		u.note(it, Automatic, "the app gets the requests for which there is no file")
	case "proxy":
		u.note(it, ByHand, "a web server in front has to do it")
	default:
		u.note(it, ByHand, "the web server in front, or the app, has to do it")
	}
}
