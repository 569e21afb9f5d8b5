package main

import (
	"errors"
	"log/slog"
	"os"

	"passenger/lib/cli"
	"passenger/lib/proxy/trace"
)

// traces makes what tells a collector of requests, nil if that is not wanted. The
// variables may be there for the apps alone: what cannot be meant for us turns
// traces off, and says so.
func (c *serveCommand) traces() (*trace.Exporter, error) {
	t, err := trace.New(trace.Settings{Endpoint: c.OTLPEndpoint, Getenv: os.Getenv, Release: cli.Release})
	switch {
	case errors.Is(err, trace.ErrProtocol) && c.OTLPEndpoint == "":
		slog.Warn("no traces are sent", "err", err, "hint", "set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf, with the collector's port for it, or OTEL_TRACES_EXPORTER=none")
		return nil, nil
	case err != nil:
		return nil, &cli.Error{Err: err, Status: cli.Usage, Hint: "see TRACES in passenger-proxy(1)"}
	}
	return t, nil
}
