package migrate

import (
	"regexp"
	"strings"

	"passenger/lib/app"
)

var (
	processLine = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(\S.*)$`)
	stockPuma   = regexp.MustCompile(`^(bundle exec )?(puma|rails s(erver)?)\b`)
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
		m := processLine.FindStringSubmatch(line)
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
			r.note(it, ByHand, ownService)
		}
	}
	return nil
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
	if stockPuma.MatchString(command) {
		remark = ": remove it if the app has a config.ru, which is loaded once and forked then"
	}
	d.putWith(it, remark, pair{"app_start_command", line})
}
