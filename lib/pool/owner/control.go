package owner

import (
	"context"
	"errors"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
)

// answerLimit bounds calls that wait for nothing but their turn.
const answerLimit = 5 * time.Second

// Register adds the pool's calls to a control socket.
func (o *Owner) Register(s *control.Server) {
	s.Healthy, s.Metrics = o.healthy, o.metrics
	s.Register(o.table()...)
}

// table is what the pool answers.
func (o *Owner) table() []control.Call {
	const (
		app     = protocol.PathApps + "/{name}"
		process = protocol.PathProcesses + "/{id}"
		proxy   = protocol.PathProxies + "/{id}"
	)
	c := calls{o}
	return []control.Call{
		{Method: "GET", Path: protocol.PathApps, Access: protocol.Reads, Handler: c.apps},
		{Method: "GET", Path: app, Access: protocol.Reads, Handler: control.Named("name", c.app)},
		{Method: "GET", Path: app + "/settings", Access: protocol.Reads, Handler: control.Named("name", c.settings)},
		{Method: "PUT", Path: app, Access: protocol.Changes, Ordered: true, Handler: control.Named("name", c.put)},
		{Method: "PATCH", Path: app, Access: protocol.Changes, Ordered: true, Handler: control.Named("name", c.patch)},
		{Method: "POST", Path: app + "/preview", Access: protocol.Changes, Handler: control.Named("name", c.preview)},
		{Method: "DELETE", Path: app, Access: protocol.Changes, Ordered: true, Handler: control.Named("name", c.remove)},
		{Method: "POST", Path: app + "/restart", Access: protocol.Changes, Ordered: true, Handler: control.Named("name", c.restart)},
		{Method: "POST", Path: app + "/canary", Access: protocol.Changes, Ordered: true, Handler: control.Named("name", c.canary)},
		{Method: "POST", Path: app + "/scale", Access: protocol.Changes, Ordered: true, Handler: control.Named("name", c.scale)},
		{Method: "POST", Path: app + "/pause", Access: protocol.Changes, Ordered: true, Handler: control.Named("name", c.pause)},
		{Method: "POST", Path: app + "/resume", Access: protocol.Changes, Ordered: true, Handler: control.Named("name", c.resume)},
		{Method: "POST", Path: protocol.PathReload, Access: protocol.Changes, Ordered: true, Handler: c.reload},
		{Method: "DELETE", Path: process, Access: protocol.Changes, Ordered: true, Handler: control.Named("id", c.detach)},
		{Method: "GET", Path: protocol.PathRoutes, Access: protocol.Reads, Feed: &o.routes},
		{Method: "PUT", Path: proxy, Access: protocol.Changes, Handler: control.Named("id", c.report)},
	}
}

func (o *Owner) list() (protocol.AppList, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	return o.Apps(ctx)
}

func (o *Owner) healthy() error {
	list, err := o.list()
	if err == nil && !list.SpawnerUp {
		err = errors.New("the spawner does not answer")
	}
	return err
}
