package app

import (
	"slices"
	"strings"

	"passenger/lib/spelling"
)

// shortFlags are those of Phusion Passenger's "passenger start" that have no
// long name here.
var shortFlags = map[string]string{"-d": "daemonize", "-R": "startup_file", "-r": "startup_file"}

// flagsInstead are flags of its that have another meaning as keys.
var flagsInstead = map[string]string{
	"user":     "use --user-switching; the app runs as the owner of its startup file",
	"group":    "use --user-switching; the app runs as the owner of its startup file",
	"rackup":   `set "startup_file" in ` + File,
	"envvar":   `set "envvars" in ` + File,
	"ssl":      "use passenger start --tls",
	"ssl_port": "use passenger start --tls-port",

	"ssl_certificate":     "use passenger start --certificate",
	"ssl_certificate_key": "use passenger start --key",
	"daemonise":           `run it under an init system, or with "&" behind it`,
	"daemonize":           `run it under an init system, or with "&" behind it`,
	"pid_file":            `leave it out; "passenger stop" finds what runs by its port or state directory`,
	"log_file":            "redirect the standard error, where the log goes",
	"turbocaching":        `set "turbocaching" in ` + File,

	"ignore_pid_not_found": "leave it out; the exit status is 3 where nothing runs",
}

// UnknownFlag is what to add to the name of a flag that "passenger" does not
// have: what takes its place, if it is one of Phusion Passenger's, else the one
// of known that may have been meant.
func UnknownFlag(flag string, known []string) string {
	key := strings.ReplaceAll(strings.TrimLeft(flag, "-"), "-", "_")
	if long, ok := shortFlags[flag]; ok {
		key = long
	}
	bare := strings.TrimPrefix(strings.TrimPrefix(key, "no_"), "disable_")
	where := ""
	for _, name := range []string{key, bare} {
		if where == "" {
			where = flagsInstead[name]
		}
		if where == "" && slices.Contains(Keys(), name) {
			where = `set "` + name + `" in ` + File
		}
	}
	if where == "" {
		where = Instead(key)
	}
	if where != "" {
		return ", which Phusion Passenger has: " + where
	}
	return spelling.DidYouMean(flag, known)
}
