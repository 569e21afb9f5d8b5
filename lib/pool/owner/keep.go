package owner

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"passenger/lib/app"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// A Keep is a directory that outlives a boot, as the state directory need not.
// It has copies of what commands set: apps/NAME.json of those added, and
// orders.json. The empty Keep keeps nothing.
//
// The copies are read where the state directory tells of no former pool. So a
// program of an older release, which knows the state directory alone, goes on with
// what is there.
type Keep string

// An order is what a command had an app do, whatever its settings say.
type order struct {
	Instances *int   `json:"instances,omitempty"`
	Paused    string `json:"paused,omitempty"`
}

// orderFile is the content of orders.json.
type orderFile struct {
	Version int              `json:"version"`
	Apps    map[string]order `json:"apps"`
}

func (k Keep) apps() string   { return filepath.Join(string(k), "apps") }
func (k Keep) orders() string { return filepath.Join(string(k), "orders.json") }

// make makes the directories.
func (k Keep) make() error {
	if k == "" {
		return nil
	}
	return os.MkdirAll(k.apps(), 0o700)
}

// restore puts the apps that were added back into the state directory, unless a
// pool has run there since the boot, and returns the orders.
func (f Files) restore() map[string]order {
	if _, err := os.Lstat(f.Routes); f.Keep == "" || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(f.Keep.apps(), "*.json")) // what cannot be read is not there
	for _, path := range files {
		target := filepath.Join(f.Added, filepath.Base(path))
		if _, err := os.Lstat(target); err == nil {
			continue
		}
		config, err := app.Read(path)
		if err == nil {
			err = statedir.WriteJSON(target, config)
		}
		if err != nil {
			slog.Error("app that was added is not restored", "file", path, "err", err)
		}
	}
	var kept orderFile
	err := statedir.ReadJSON(f.Keep.orders(), &kept)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		aside := f.Keep.orders() + ".unreadable"
		slog.Error("orders of commands are not restored; the file was put aside", "aside", aside, "err", errors.Join(err, os.Rename(f.Keep.orders(), aside)))
	case kept.Version > protocol.Version:
		slog.Warn("orders of commands were written by a newer release; what is known of them is restored", "file", f.Keep.orders())
	}
	return kept.Apps
}

// obey gives the orders of before the boot again, to a pool that does not run yet.
func (o *Owner) obey(orders map[string]order) {
	for _, name := range slices.Sorted(maps.Keys(orders)) {
		order := orders[name]
		if err := o.pool.Scale(name, order.Instances); err != nil {
			slog.Warn("order from before the boot is not restored", "app", name, "err", err)
			continue
		}
		if order.Paused == protocol.PausedHold || order.Paused == protocol.PausedPage {
			o.pool.Pause(name, order.Paused)
		}
	}
}

// app keeps the settings of an app that was added.
func (k Keep) app(name string, over protocol.AppConfig) {
	if k == "" {
		return
	}
	if err := statedir.WriteJSON(filepath.Join(k.apps(), name+".json"), over); err != nil {
		slog.Error("app is lost at a reboot: its settings are not kept", "app", name, "err", err)
	}
}

// forget forgets an app that was added.
func (k Keep) forget(name string) {
	if k == "" {
		return
	}
	if _, err := removeFile(filepath.Join(k.apps(), name+".json")); err != nil {
		slog.Error("app comes back at a reboot: its settings are still kept", "app", name, "err", err)
	}
}

// ordersOf are those in a route table.
func ordersOf(table *protocol.Routes) map[string]order {
	orders := map[string]order{}
	for _, r := range table.Apps {
		if r.Instances != nil || r.Paused != "" {
			orders[r.App] = order{r.Instances, r.Paused}
		}
	}
	return orders
}

// keepOrders keeps the orders of a table unless those of the last one are the
// same.
func (o *Owner) keepOrders(table *protocol.Routes) {
	if o.files.Keep == "" {
		return
	}
	orders := ordersOf(table)
	same := func(a, b order) bool {
		return a.Paused == b.Paused && (a.Instances == nil) == (b.Instances == nil) && (a.Instances == nil || *a.Instances == *b.Instances)
	}
	if o.kept != nil && maps.EqualFunc(o.kept, orders, same) {
		return
	}
	if err := statedir.WriteJSON(o.files.Keep.orders(), orderFile{protocol.Version, orders}); err != nil {
		slog.Error("orders are lost at a reboot: they are not kept", "err", err)
		return
	}
	o.kept = orders
}
