package migrate

import (
	"slices"
	"strings"
)

// A directive is one of nginx or of Apache. A block has others inside.
type directive struct {
	name      string // as nginx would have it: server_name for ServerName
	shown     string // as the file has it
	args      []string
	line, end int
	block     bool
	taken     bool // that an app took it
	inside    []*directive
}

func (w *directive) item() item {
	return item{w.shown, w.line, &value{kind: list, line: w.line, end: w.end, items: textValues(w.args, w.line)}}
}

// head is how a block begins.
func (w *directive) head() string {
	return strings.TrimSpace(w.shown + " " + shortened(strings.Join(w.args, " ")))
}

func textValues(texts []string, line int) (all []*value) {
	for _, s := range texts {
		all = append(all, &value{kind: text, text: s, line: line, end: line})
	}
	return all
}

// single is the item of a directive with one argument as its value.
func (w *directive) single() item {
	it := w.item()
	if len(it.value.items) == 1 {
		it.value.items[0].end = w.end
		it.value = it.value.items[0]
	}
	return it
}

// A webServer is a configuration of nginx or Apache, in which locations are apps.
type webServer struct {
	*reading
	on   bool   // what is a document root is an app if nothing says otherwise
	host *draft // of the app around, nil outside of one
}

// walk takes over the directives of a block. around are those of the blocks around
// it that concern apps.
func (w webServer) walk(block []*directive, around []*directive) {
	own := slices.Clone(around)
	for _, d := range block {
		if !d.block && concernsApps(d) {
			own = append(own, d)
		}
	}
	for _, d := range block {
		switch {
		case !d.block && (d.taken || concernsApps(d)):
		case !d.block:
			w.elsewhere(d)
		case d.name == "server" || d.name == "location":
			w.skip(d.line, d.line)
			w.skip(d.end, d.end)
			w.place(d, own)
		default:
			w.group(d, own)
		}
	}
	w.leftover(own, "no place has an app that it is for")
}

// leftover notes the directives about apps that no app took.
func (w webServer) leftover(list []*directive, text string) {
	for _, d := range list {
		if !d.taken {
			d.taken = true
			w.note(d.single(), ByHand, text)
		}
	}
}

// group walks a block that is only around others, as http is.
func (w webServer) group(d *directive, own []*directive) {
	if len(d.inside) == 0 || d.name == "upstream" || d.name == "map" || d.name == "events" || d.name == "types" || d.name == "geo" {
		w.note(d.item(), ByHand, inFront)
		return
	}
	w.skip(d.line, d.line)
	w.skip(d.end, d.end)
	if d.name != "http" {
		w.note(item{d.shown, d.line, nil}, ByHand, "what is inside depends on it; see whether it holds here")
	}
	w.walk(d.inside, own)
}

// place is a server or a location, which may be an app.
func (w webServer) place(d *directive, around []*directive) {
	inside := slices.DeleteFunc(slices.Clone(around), func(a *directive) bool {
		return d.name == "location" && overruled(a.name, d.inside)
	})
	var own []*directive
	for _, o := range d.inside {
		if !o.block && concernsApps(o) {
			own = append(own, o)
		}
	}
	all := append(inside, own...)
	isApp := w.isApp(d, own, all)
	if isApp {
		w.host = w.app(d, all)
	} else if !w.served(d) {
		w.note(item{d.head(), d.line, nil}, ByHand, inFront)
	}
	var rest []*directive
	for _, o := range d.inside {
		if o.block || !concernsApps(o) {
			rest = append(rest, o)
		}
	}
	w.walk(rest, all)
}

// overruled says that a location has something in the place of a directive around it.
func overruled(name string, inside []*directive) bool {
	switch name {
	case "root":
		return has(inside, "root") || has(inside, "alias") || has(inside, "passenger_app_root") || has(inside, "passenger_document_root")
	case "passenger_base_uri", "passenger_enabled":
		return has(inside, name)
	}
	return false
}

func has(list []*directive, name string) bool {
	return slices.ContainsFunc(list, func(d *directive) bool { return d.name == name })
}

// isApp says that a place is an app of its own: it names one, or it is a server
// where Passenger is on.
func (w webServer) isApp(d *directive, own, all []*directive) bool {
	for _, o := range slices.Backward(all) {
		if o.name == "passenger_enabled" {
			if len(o.args) == 1 && strings.EqualFold(o.args[0], "off") {
				return false
			}
			break
		}
	}
	if has(own, "passenger_app_root") || has(own, "passenger_base_uri") || d.name == "server" && has(own, "passenger_enabled") {
		return true
	}
	if d.name == "location" {
		return has(own, "passenger_enabled") && (has(own, "root") || has(own, "alias")) || has(own, "passenger_enabled") && !has(all[:len(all)-len(own)], "passenger_enabled") && has(all, "root")
	}
	return has(own, "root") && (w.on || has(all, "passenger_enabled"))
}

// concernsApps says that a directive is one of an app's or leads to one.
func concernsApps(d *directive) bool {
	return strings.HasPrefix(d.name, "passenger_") || slices.Contains([]string{"root", "alias", "server_name", "rails_env", "rack_env", "setenv"}, d.name)
}
