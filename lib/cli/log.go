package cli

import (
	"io"
	"log/slog"
	"os"
	"strings"

	"passenger/lib/output"
)

// A LogFormat holds the flag of daemons for what their log looks like.
type LogFormat struct {
	LogFormat string `enum:"text,json" default:"text" placeholder:"text|json" help:"Write the log as text for people, or as JSON lines with the names of the Elastic Common Schema (${default})."`
}

// Output is the format for what apps write, to go with it.
func (f LogFormat) Output() output.Format {
	if f.LogFormat == "json" {
		return output.JSON
	}
	return output.Text
}

// Handler writes the log of the program to w, which ends at standard error, in
// the format called "text" or "json". A text is for people who read standard
// error: a person at a terminal, the journal, or a file.
func Handler(w io.Writer, format, program string, level slog.Level) slog.Handler {
	if format != "json" {
		return textHandler(w, lookFor(os.Stderr), level)
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: ecs}
	return slog.NewJSONHandler(w, options).WithAttrs([]slog.Attr{
		slog.String("ecs.version", output.ECSVersion), slog.String("service.name", program), slog.String("event.dataset", "passenger.log"),
	})
}

// ecsNames are what the Elastic Common Schema calls our attributes. What it has
// no name for is below "passenger.".
var ecsNames = map[string]string{
	slog.TimeKey: "@timestamp", slog.LevelKey: "log.level", slog.MessageKey: "message",
	"pid": "process.pid", "err": "error.message", "cause": "passenger.exit.cause",
}

func ecs(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 || strings.Contains(a.Key, ".") {
		return a
	}
	switch name, ok := ecsNames[a.Key]; {
	case a.Key == slog.LevelKey:
		return slog.String(name, strings.ToLower(a.Value.String()))
	case ok:
		a.Key = name
	default:
		a.Key = "passenger." + a.Key
	}
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.StringValue(err.Error())
	}
	return a
}
