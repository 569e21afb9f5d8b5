package owner

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/security"
	"passenger/lib/spelling"
	"passenger/lib/statedir"
)

// Apps lists the apps.
func (o *Owner) Apps(ctx context.Context) (list protocol.AppList, err error) {
	err = o.ask(ctx, func(now time.Time) { list = o.pool.Apps(now) })
	list.Refused = o.refused.all()
	return list, err
}

// App is one app.
func (o *Owner) App(ctx context.Context, name string) (a protocol.App, err error) {
	var unknown error
	err = o.ask(ctx, func(now time.Time) {
		var ok bool
		if a, ok = o.pool.App(now, name); !ok {
			unknown = unknownApp(name, o.pool.Names())
		}
	})
	if err == nil {
		err = unknown
	}
	return a, err
}

func unknownApp(name string, known []string) error {
	return &protocol.Error{
		Code:    protocol.CodeUnknownApp,
		Message: fmt.Sprintf("unknown app %q%s", name, spelling.DidYouMean(name, known)),
	}
}

// Put adds an app or changes the settings of one that was added at run time.
// It is kept on disk.
func (o *Owner) Put(ctx context.Context, name string, over protocol.AppConfig) (protocol.App, error) {
	if over.Name != "" && over.Name != name {
		return protocol.App{}, &protocol.Error{
			Code: protocol.CodeBadRequest, Message: fmt.Sprintf("the settings are for app %q, not %q", over.Name, name),
		}
	}
	over.Name = name
	full, err := complete(over)
	if err != nil {
		return protocol.App{}, &protocol.Error{Code: protocol.CodeInvalidApp, Message: err.Error()}
	}
	c := full.config
	o.configuring.Lock()
	defer o.configuring.Unlock()
	if from, ok := o.catalog[name]; ok && from.kind != added {
		return o.unchanged(ctx, c, from)
	}
	refused := o.claims.check(name, full.claim)
	if refused != nil {
		return protocol.App{}, refused
	}
	if err := o.ask(ctx, func(time.Time) { refused = o.pool.Check(c) }); err != nil {
		return protocol.App{}, err
	}
	if refused != nil {
		return protocol.App{}, refused
	}
	file := filepath.Join(o.files.Added, name+".json")
	if err := statedir.WriteJSON(file, over); err != nil {
		return protocol.App{}, err
	}
	o.files.Keep.app(name, over)
	o.catalog[name], o.claims[name] = origin{added, file}, full.claim
	o.refused.set(file, nil)
	var a protocol.App
	err = o.ask(ctx, func(now time.Time) {
		o.pool.Put(now, c, full.byApp...)
		for _, waiting := range o.removing[name] {
			waiting <- &protocol.Error{Code: protocol.CodeConflict, Message: fmt.Sprintf("app %q was added again", name)}
		}
		delete(o.removing, name)
		a, _ = o.pool.App(now, name)
	})
	return a, err
}

// unchanged accepts the settings that an app has, and no others: the pool does
// not change files of the administrator.
func (o *Owner) unchanged(ctx context.Context, c protocol.AppConfig, from origin) (protocol.App, error) {
	a, err := o.App(ctx, c.Name)
	switch {
	case err != nil || reflect.DeepEqual(a.Config, c):
		return a, err
	case a.Config.AppRoot != c.AppRoot:
		return a, &protocol.Error{
			Code:    protocol.CodeConflict,
			Message: fmt.Sprintf("app %q is %s, %s, and %s claims the same name", c.Name, a.Config.AppRoot, from.kind, c.AppRoot),
			Hint:    "give it another name",
		}
	}
	return a, notOurs(c.Name, from)
}

func notOurs(name string, from origin) error {
	e := &protocol.Error{Code: protocol.CodeConflict, Message: fmt.Sprintf("app %q was %s: %s", name, from.kind, from.path)}
	if e.Hint = "change that file and run \"passenger-pool reload\""; from.kind == named {
		e.Hint = "change its Passengerfile.json and restart the app, or start passenger-pool without it"
	}
	return e
}

// Remove drains and stops the app's processes and forgets it, on disk too. It
// returns when it is gone; if ctx ends before, the removal goes on.
func (o *Owner) Remove(ctx context.Context, name string) error {
	gone := make(chan error, 1)
	if err := o.remove(ctx, name, gone); err != nil {
		return err
	}
	select {
	case err := <-gone:
		return err
	case <-o.ended:
		return errStopping
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (o *Owner) remove(ctx context.Context, name string, gone chan<- error) error {
	o.configuring.Lock()
	defer o.configuring.Unlock()
	if from, ok := o.catalog[name]; ok && from.kind != added {
		return notOurs(name, from)
	}
	// An app whose file is wrong is in no catalog.
	file := filepath.Join(o.files.Added, name+".json")
	forgotten, err := removeFile(file)
	if err != nil {
		return err
	}
	o.files.Keep.forget(name)
	o.refused.set(file, nil)
	var unknown error
	err = o.ask(ctx, func(now time.Time) {
		switch {
		case o.pool.Remove(now, name):
			o.removing[name] = append(o.removing[name], gone)
		case forgotten:
			gone <- nil
		default:
			unknown = unknownApp(name, o.pool.Names())
		}
	})
	if err != nil {
		return err
	}
	delete(o.catalog, name)
	delete(o.claims, name)
	return unknown
}

// Reload reads all settings again. An app whose file is wrong goes on as it is,
// and so do all of the administrator's if their directory cannot be read.
func (o *Owner) Reload(ctx context.Context) (protocol.ReloadReply, error) {
	o.configuring.Lock()
	defer o.configuring.Unlock()
	list := o.files.entries()
	reply := protocol.ReloadReply{Refused: []protocol.Refusal{}}
	err := o.ask(ctx, func(now time.Time) {
		if err := o.files.check(); err != nil {
			slog.Error("apps directory refused; what runs goes on", security.SettingsRefused.Attr(), "err", err)
			reply.Refused = append(reply.Refused, protocol.Refusal{File: o.files.Fixed, At: now, Message: err.Error()})
		} else {
			o.drop(now, list)
		}
		for _, e := range list {
			if err := o.take(now, e); err != nil {
				reply.Refused = append(reply.Refused, o.refusal(e.origin, e.config, err))
				slog.Error("app refused; what runs goes on", security.SettingsRefused.Attr(), "from", e.path, "err", err)
			} else {
				e.warn()
				o.followLink(now, e.settings)
			}
		}
		o.pool.Hold(len(reply.Refused) > 0)
		o.refused.replace(slices.Clone(reply.Refused))
		reply.Apps = len(o.pool.Names())
		slog.Info("settings read again", "apps", reply.Apps, "refused", len(reply.Refused))
	})
	return reply, err
}

// drop removes the apps of the administrator whose files are gone.
func (o *Owner) drop(now time.Time, list []entry) {
	for _, name := range o.catalog.dropped(list) {
		o.pool.Remove(now, name)
		delete(o.catalog, name)
		delete(o.claims, name)
	}
}

// followLink restarts the app if its directory is a symlink that leads to
// another release than its processes run.
func (o *Owner) followLink(now time.Time, s settings) {
	c := s.config
	root, err := filepath.EvalSymlinks(c.AppRoot)
	if err != nil {
		return // the pool may not look there
	}
	a, _ := o.pool.App(now, c.Name)
	for _, p := range a.Processes {
		if p.Generation == a.Generation && p.AppRoot != "" && p.AppRoot != root {
			o.pool.Restart(now, c, s.byApp, wish{cause: "new directory"}.how(c))
			return
		}
	}
}
