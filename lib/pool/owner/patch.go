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

	"passenger/lib/app"
	"passenger/lib/protocol"
)

// Patch changes some settings of an app that was added at run time: the keys
// of patch get these values, those that are null their defaults.
func (o *Owner) Patch(ctx context.Context, name string, patch map[string]json.RawMessage) (protocol.App, error) {
	a, err := o.App(ctx, name)
	if err != nil {
		return a, err
	}
	over, err := app.Read(filepath.Join(o.files.Added, name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		o.configuring.Lock()
		from := o.catalog[name]
		o.configuring.Unlock()
		return a, notOurs(name, from)
	}
	if err != nil {
		return a, &protocol.Error{Code: protocol.CodeInvalidApp, Message: err.Error()}
	}
	if over, err = patched(over, patch); err != nil {
		return a, &protocol.Error{Code: protocol.CodeInvalidApp, Message: fmt.Sprintf("app %q: %v", name, err)}
	}
	return o.Put(ctx, name, over)
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
