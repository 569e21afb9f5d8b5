package migrate

import (
	"path/filepath"
	"regexp"
	"strings"
)

var (
	uwsgiSection  = pattern(`(?m)^\s*\[uwsgi\]`)
	apacheLine    = pattern(`(?mi)^\s*(<VirtualHost\b|<Directory\b|<Location\b|Passenger[A-Z]\w*\s|LoadModule\s)`)
	nginxLine     = pattern(`(?m)^\s*(server|http|location\b[^{\n]*)\s*\{|^\s*passenger_\w+\s[^=\n]*;`)
	pm2Apps       = pattern(`(?m)\bapps["']?\s*:`)
	unitConfig    = pattern(`"(listeners|applications)"\s*:`)
	procfileWeb   = pattern(`(?m)^[A-Za-z0-9_-]+:\s*\S`)
	gunicornWords = pattern(`(?m)^(bind|workers|worker_class|wsgi_app|timeout)\s*=`)
	pumaWords     = pattern(`(?m)^\s*(workers|threads|port|bind|environment|preload_app!|plugin)\b`)
)

// formatOf finds the format of a file by its name, else by its text; empty if
// neither is known.
func formatOf(path, text string) string {
	base := strings.ToLower(filepath.Base(path))
	ext := filepath.Ext(base)
	switch {
	case base == "procfile" || strings.HasPrefix(base, "procfile."):
		return "procfile"
	case base == "passengerfile.json" || base == "passenger-standalone.json":
		return "passenger"
	case strings.Contains(base, "gunicorn") && ext == ".py":
		return "gunicorn"
	case strings.Contains(base, "puma") && ext == ".rb":
		return "puma"
	case strings.Contains(base, "uwsgi") && (ext == ".ini" || ext == ".conf"):
		return "uwsgi"
	case strings.Contains(base, "ecosystem") || strings.Contains(base, "pm2"):
		return "pm2"
	}
	for _, guess := range []struct {
		format string
		ext    string // with blanks around each; empty for any
		is     func() *regexp.Regexp
	}{
		{"uwsgi", "", uwsgiSection},
		{"unit", "", unitConfig},
		{"pm2", " .js .cjs .mjs .json .yml .yaml ", pm2Apps},
		{"apache", "", apacheLine},
		{"nginx", "", nginxLine},
		{"gunicorn", " .py ", gunicornWords},
		{"puma", " .rb ", pumaWords},
		{"procfile", "  ", procfileWeb},
	} {
		if (guess.ext == "" || strings.Contains(guess.ext, " "+ext+" ")) && guess.is().MatchString(text) {
			return guess.format
		}
	}
	return ""
}
