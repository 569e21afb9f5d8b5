package owner

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"passenger/lib/app"
	"passenger/lib/control"
	"passenger/lib/protocol"
)

// refusals are the settings that are not in use, for callers that ask. The zero
// refusals is empty.
type refusals struct {
	mu   sync.Mutex // guards list
	list []protocol.Refusal
}

// all is a copy, in order of the files.
func (r *refusals) all() []protocol.Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// replace puts a list in place of what was.
func (r *refusals) replace(list []protocol.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = list
	slices.SortStableFunc(r.list, func(a, b protocol.Refusal) int { return strings.Compare(a.File, b.File) })
}

// set notes what became of one file: that it was refused, or taken if refused
// is nil.
func (r *refusals) set(file string, refused *protocol.Refusal) {
	list := slices.DeleteFunc(r.all(), func(old protocol.Refusal) bool { return old.File == file })
	if refused != nil {
		list = append(list, *refused)
	}
	r.replace(list)
}

// refuse notes that the settings that a restart found are not in use. The caller
// holds configuring.
func (o *Owner) refuse(from origin, config protocol.AppConfig, err error) {
	r := o.refusal(from, config, err)
	o.refused.set(from.path, &r)
}

// refusal describes why settings are refused. The caller holds configuring.
func (o *Owner) refusal(from origin, config protocol.AppConfig, err error) protocol.Refusal {
	r := protocol.Refusal{App: config.Name, File: from.path, At: time.Now(), Message: err.Error()}
	if name := o.catalog.nameAt(from); name != "" {
		r.App = name
	} else if r.App == "" {
		r.App = from.name()
	}
	var pe *protocol.Error
	if errors.As(err, &pe) {
		r.Hint = pe.Hint
	}
	if !strings.Contains(r.Message, from.path) {
		r.Message = from.path + ": " + r.Message
	}
	return r
}

// nameAt is the name of the app whose settings are there, empty for none.
func (c catalog) nameAt(from origin) string {
	for name, at := range c {
		if at == from {
			return name
		}
	}
	return ""
}

// name is what an app with settings there is called unless they say.
func (from origin) name() string {
	if from.kind == named {
		return app.NameOf(from.path)
	}
	return strings.TrimSuffix(filepath.Base(from.path), ".json")
}

// refusalMetrics has a sample for each app, known or not, so that an alert has
// something to end with.
func refusalMetrics(m *control.Metrics, list protocol.AppList) {
	m.Gauge("passenger_pool_settings_refused", "Files of settings that are refused.", float64(len(list.Refused)))
	refused := map[string]bool{}
	for _, a := range list.Apps {
		refused[a.Name] = false
	}
	for _, r := range list.Refused {
		if r.App != "" {
			refused[r.App] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		m.Gauge("passenger_app_settings_refused", "1 while the settings of an app are refused.", flag(refused[name]), "app", name)
	}
}
