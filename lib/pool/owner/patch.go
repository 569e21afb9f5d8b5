package owner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"passenger/lib/app"
	"passenger/lib/protocol"
)

// Patch changes some settings of an app that was added at run time: the keys
// of patch get these values, those that are null their defaults.
func (o *Owner) Patch(ctx context.Context, name string, patch map[string]json.RawMessage) (protocol.App, error) {
	a, over, err := o.patched(ctx, name, patch)
	if err != nil {
		return a, err
	}
	return o.Put(ctx, name, over)
}

// Preview tells what a patch would change, and what is wrong with it. It changes
// nothing.
func (o *Owner) Preview(ctx context.Context, name string, patch map[string]json.RawMessage) (protocol.Preview, error) {
	a, over, err := o.patched(ctx, name, patch)
	if err != nil {
		return protocol.Preview{}, err
	}
	over.Name = name
	full, err := complete(over)
	if err != nil {
		return protocol.Preview{}, &protocol.Error{Code: protocol.CodeInvalidApp, Message: err.Error()}
	}
	o.configuring.Lock()
	refused := o.claims.check(name, full.claim)
	o.configuring.Unlock()
	if refused == nil {
		if err := o.ask(ctx, func(time.Time) { refused = o.pool.Check(full.config) }); err != nil {
			return protocol.Preview{}, err
		}
	}
	if refused != nil {
		return protocol.Preview{}, refused
	}
	changes, err := changesOf(a.Config, full.config)
	return protocol.Preview{App: name, Changes: changes}, err
}

// changesOf are the settings that differ, without their secrets.
func changesOf(was, now protocol.AppConfig) ([]protocol.Change, error) {
	before, err := valuesOf(was)
	if err != nil {
		return nil, err
	}
	after, err := valuesOf(now)
	if err != nil {
		return nil, err
	}
	var shown [2]map[string]json.RawMessage
	for i, c := range []protocol.AppConfig{was, now} {
		if shown[i], err = valuesOf(public(protocol.App{Config: c}).Config); err != nil {
			return nil, err
		}
	}
	both := maps.Clone(before)
	maps.Copy(both, after)
	changes := []protocol.Change{}
	for _, key := range slices.Sorted(maps.Keys(both)) {
		if bytes.Equal(before[key], after[key]) {
			continue
		}
		c := protocol.Change{Key: key, Was: orNull(shown[0][key]), Value: orNull(shown[1][key]), Effect: app.EffectOf(key)}
		changes = append(changes, c)
	}
	return changes, nil
}

func orNull(value json.RawMessage) json.RawMessage {
	if value == nil {
		return json.RawMessage("null")
	}
	return value
}

// patched are an app and the settings that it was added with, once they are
// patched.
func (o *Owner) patched(ctx context.Context, name string, patch map[string]json.RawMessage) (a protocol.App, over protocol.AppConfig, err error) {
	if a, err = o.App(ctx, name); err != nil {
		return a, over, err
	}
	over, err = app.Read(filepath.Join(o.files.Added, name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		o.configuring.Lock()
		from := o.catalog[name]
		o.configuring.Unlock()
		return a, over, notOurs(name, from)
	}
	if err != nil {
		return a, over, &protocol.Error{Code: protocol.CodeInvalidApp, Message: err.Error()}
	}
	if over, err = patched(over, patch); err != nil {
		return a, over, &protocol.Error{Code: protocol.CodeInvalidApp, Message: fmt.Sprintf("app %q: %v", name, err)}
	}
	return a, over, nil
}

// patched merges a patch into settings, as RFC 7386 has it.
func patched(c protocol.AppConfig, patch map[string]json.RawMessage) (protocol.AppConfig, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return c, fmt.Errorf("internal error: %w", err)
	}
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &keys); err != nil {
		return c, fmt.Errorf("internal error: %w", err)
	}
	maps.Copy(keys, patch)
	maps.DeleteFunc(keys, func(key string, value json.RawMessage) bool {
		_, known := patch[key]
		return known && bytes.Equal(bytes.TrimSpace(value), []byte("null"))
	})
	if b, err = json.Marshal(keys); err != nil {
		return c, err
	}
	return app.Parse(b)
}
