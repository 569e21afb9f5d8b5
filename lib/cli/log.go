package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"passenger/lib/output"
	"passenger/lib/security"
)

// A LogFormat holds the flags of daemons for what their log looks like, and what
// of it is written to a second place.
type LogFormat struct {
	LogFormat   string `enum:"text,json" default:"text" placeholder:"text|json" help:"Write the log as text for people, or as JSON lines with the names of the Elastic Common Schema (${default})."`
	SecurityLog string `placeholder:"FILE" help:"Also write what passenger-security(7) lists, such as refused calls, to this file, as JSON lines."`
}

// Validate opens the security log, so that a daemon that could not write there
// does not start.
func (f *LogFormat) Validate() error {
	if f.SecurityLog == "" {
		return nil
	}
	return security.File(f.SecurityLog).Check()
}

// formatFlag is the flag for the format of the log, of the commands that have one.
const formatFlag = "log-format"

// The formats.
const (
	textFormat = "text"
	jsonFormat = "json"
)

// Output is the format for what apps write, to go with it.
func (f LogFormat) Output() output.Format {
	if f.LogFormat == jsonFormat {
		return output.JSON
	}
	return output.Text
}

// ToJournal says that standard error is systemd's journal, and that lines for
// people are written there.
func (f LogFormat) ToJournal() bool {
	return f.LogFormat == textFormat && lookFor(os.Stderr) == journalLook
}

// Handler writes the log of the program to w, which ends at standard error, in
// the format called "text" or "json". A text is for people who read standard
// error: a person at a terminal, the journal, or a file.
func Handler(w io.Writer, format, program string, level slog.Level) slog.Handler {
	if format != jsonFormat {
		return textHandler(w, lookFor(os.Stderr), level)
	}
	return jsonHandler(w, program, "passenger.log", level)
}

func jsonHandler(w io.Writer, program, dataset string, level slog.Level) slog.Handler {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: ecs}
	return slog.NewJSONHandler(w, options).WithAttrs([]slog.Attr{
		slog.String("ecs.version", output.ECSVersion), slog.String("service.name", program), slog.String("event.dataset", dataset),
	})
}

// Watched is the handler of a daemon's log, which copies events to the security
// log if there is one.
func (f LogFormat) Watched(log slog.Handler, program string) slog.Handler {
	if f.SecurityLog == "" {
		return log
	}
	return security.Copy(log, jsonHandler(security.File(f.SecurityLog), program, "passenger.security", slog.LevelInfo))
}

// ecsNames are what the Elastic Common Schema calls our attributes. What it has
// no name for is below "passenger.".
var ecsNames = map[string]string{
	slog.TimeKey: "@timestamp", slog.LevelKey: "log.level", slog.MessageKey: "message",
	"pid": "process.pid", "err": "error.message", "cause": "passenger.exit.cause", "process": "passenger.process.id",
}

func ecs(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 || strings.Contains(a.Key, ".") {
		return a
	}
	if action, ok := a.Value.Any().(security.Action); ok { // its fields stand beside the others
		return slog.Attr{Value: slog.GroupValue(action.Fields()...)}
	}
	switch name, ok := ecsNames[a.Key]; {
	case a.Key == slog.LevelKey:
		return slog.String(name, strings.ToLower(a.Value.String()))
	case ok:
		a.Key = name
	default:
		a.Key = "passenger." + a.Key
	}
	switch v := a.Value.Any().(type) {
	case error:
		a.Value = slog.StringValue(v.Error())
	case time.Duration:
		a.Value = slog.Float64Value(v.Seconds())
	case time.Time:
	case fmt.Stringer: // an address would be an object
		a.Value = slog.StringValue(v.String())
	}
	return a
}
