package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"passenger/lib/protocol"
)

// reloaders are words in a command that mean that a program starts itself anew
// when its files change.
var reloaders = []string{"nodemon", "--watch", "--reload", "ts-node-dev", "tsx watch", "next dev", "nuxt dev", "nuxi dev", "vite", "nest start --watch", "remix dev", "runserver", "flask run --debug", "flask --debug", "rerun", "shotgun", "watchmedo", "air"}

// Reloads says what makes an app load its own code again when that changes, empty
// if nothing is known to.
func Reloads(c protocol.AppConfig) string {
	command := c.StartCommand
	if found, err := Detect(c, false); err == nil && command == "" {
		command = found.StartCommand
	}
	words := " " + strings.Join(strings.Fields(command), " ") + " "
	if i := slices.IndexFunc(reloaders, func(r string) bool { return strings.Contains(words, " "+r+" ") }); i >= 0 {
		return "its command has \"" + reloaders[i] + "\""
	}
	if strings.Contains(words, " flask ") && envOf(c, "FLASK_DEBUG") == "1" {
		return "FLASK_DEBUG is 1"
	}
	if _, err := os.Stat(filepath.Join(c.AppRoot, "config", "application.rb")); err == nil && c.Environment == "development" {
		return "Rails does in development"
	}
	return ""
}

// envOf is a variable as the app's processes get it, as far as it is known here.
func envOf(c protocol.AppConfig, name string) string {
	if v, ok := c.EnvVars[name]; ok {
		return v
	}
	return os.Getenv(name)
}
