package migrate

import (
	"maps"
	"path"
	"strings"

	"passenger/lib/app"
	"passenger/lib/protocol"
)

var (
	processLine = pattern(`^([A-Za-z0-9_-]+):\s*(\S.*)$`)
	stockPuma   = pattern(`^(bundle exec )?(puma|rails s(erver)?)\b`)
)

// readProcfile reads the commands of an app's kinds of processes.
func readProcfile(r *reading) error {
	d := r.draft()
	for i, line := range r.lines {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			r.skip(i+1, i+1)
			continue
		}
		m := processLine().FindStringSubmatch(line)
		if m == nil {
			continue // it is told of as not understood
		}
		it := item{m[1], i + 1, nil}
		switch m[1] {
		case "web":
			d.web(it, m[2])
		case "release":
			r.note(it, ByHand, "run it at each deploy, before the restart")
		default:
			d.side(it, m[2])
		}
	}
	return nil
}

// side takes over the command of processes that serve no requests. The app's own
// Procfile goes on to say it.
func (d *draft) side(it item, command string) {
	spec := protocol.SideProcess{}
	if path.Base(d.r.Path) != "Procfile" {
		line, env := app.CommandOf(command)
		if env != nil {
			d.r.note(it, ByHand, "it needs a shell: put the line into the app's Procfile, and its type into \"processes\"")
			return
		}
		spec.Command = line
	}
	processes := maps.Clone(d.config.Processes)
	if processes == nil {
		processes = map[string]protocol.SideProcess{}
	}
	processes[it.name] = spec
	d.put(it, pair{"processes", processes})
}

// web takes over the command of the processes that serve.
func (d *draft) web(it item, command string) {
	line, env := app.CommandOf(command)
	for name, text := range env {
		if err := d.set(pair{"envvars", map[string]string{name: text}}); err != nil {
			d.r.notef(it, ByHand, "%v", err)
			return
		}
	}
	remark := ""
	if stockPuma().MatchString(command) {
		remark = ": remove it if the app has a config.ru, which is loaded once and forked then"
	}
	d.putWith(it, remark, pair{"app_start_command", line})
}
