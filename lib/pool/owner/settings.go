package owner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"passenger/lib/app"
	"passenger/lib/protocol"
)

// Settings are those of an app that are in effect, and where each comes from.
func (o *Owner) Settings(ctx context.Context, name string) (protocol.AppSettings, error) {
	a, err := o.App(ctx, name)
	if err != nil {
		return protocol.AppSettings{}, err
	}
	o.configuring.Lock()
	from, known := o.catalog[name]
	o.configuring.Unlock()
	reply := protocol.AppSettings{App: name}
	if !known { // its file cannot be read since the last pool
		from = origin{kind: added, path: filepath.Join(o.files.Added, name+".json")}
	}
	if path, err := filepath.Abs(from.path); err == nil { // who asks may be elsewhere
		from.path = path
	}
	reply.Settings, err = o.files.explain(a, from)
	return reply, err
}

// A layer is one place that settings come from.
type layer struct {
	lines map[string]int // by key
	place protocol.Setting
}

// layers are the places of an app's settings, the one first that wins.
func (f Files) layers(c protocol.AppConfig, from origin) []layer {
	own := filepath.Join(c.AppRoot, app.File)
	if from.kind != named {
		place := protocol.Setting{Source: protocol.SetByFile, File: from.path}
		if from.kind == added {
			place.Source = protocol.SetAtRunTime
		}
		return []layer{{app.Lines(from.path), place}, {app.Lines(own), protocol.Setting{Source: protocol.SetByFile, File: own}}}
	}
	own = filepath.Join(from.path, app.File)
	flags := layer{map[string]int{}, protocol.Setting{Source: protocol.SetByFlag}}
	if f.Variable != "" {
		flags.place = protocol.Setting{Source: protocol.SetByVariable, Variable: f.Variable}
	}
	usual := layer{map[string]int{}, flags.place}
	for _, setting := range f.Settings {
		key, _, _ := strings.Cut(setting, "=")
		if key, unless := strings.CutSuffix(key, "?"); unless {
			usual.lines[key] = 0
		} else {
			flags.lines[key] = 0
		}
	}
	return []layer{flags, {app.Lines(own), protocol.Setting{Source: protocol.SetByFile, File: own}}, usual}
}

// explain says of each setting of an app where it comes from.
func (f Files) explain(a protocol.App, from origin) ([]protocol.Setting, error) {
	values, err := valuesOf(a.Config)
	if err != nil {
		return nil, err
	}
	shown, err := valuesOf(public(a).Config)
	if err != nil {
		return nil, err
	}
	now := values
	if s, err := f.read(from); err == nil { // else what is wrong is told elsewhere
		if now, err = valuesOf(s.config); err != nil {
			return nil, err
		}
	}
	layers := f.layers(a.Config, from)
	list := []protocol.Setting{}
	both := maps.Clone(values)
	maps.Copy(both, now)
	for _, key := range slices.Sorted(maps.Keys(both)) {
		s := placeOf(key, layers, from)
		s.Key, s.Value, s.Changed = key, shown[key], !bytes.Equal(values[key], now[key])
		if s.Value == nil {
			s.Value = json.RawMessage("null")
		}
		list = append(list, s)
	}
	return append(list, orders(a)...), nil
}

// placeOf says where a key comes from.
func placeOf(key string, layers []layer, from origin) protocol.Setting {
	for _, l := range layers {
		if line, ok := l.lines[key]; ok {
			s := l.place
			s.Line = line
			return s
		}
	}
	switch {
	case key == "name" && from.kind != named:
		return layers[0].place // it is called after its file
	case key == "app_root" && from.kind == named:
		return protocol.Setting{Source: protocol.SetByFlag}
	}
	return protocol.Setting{Source: protocol.SetByDefault}
}

// orders are what commands had the app do, whatever its settings say.
func orders(a protocol.App) (list []protocol.Setting) {
	if a.Instances != nil {
		list = append(list, protocol.Setting{Key: "instances", Value: fmt.Append(nil, *a.Instances), Source: protocol.SetAtRunTime})
	}
	if a.Paused != "" {
		list = append(list, protocol.Setting{Key: "paused", Value: fmt.Appendf(nil, "%q", a.Paused), Source: protocol.SetAtRunTime})
	}
	return list
}

// valuesOf are the settings by their keys.
func valuesOf(c protocol.AppConfig) (map[string]json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	b, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(b, &values)
	}
	if err != nil {
		return nil, fmt.Errorf("internal error: %w", err)
	}
	return values, nil
}
