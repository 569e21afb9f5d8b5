package dashboard

import (
	"cmp"
	"slices"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/secret"
	"passenger/lib/status"
	"passenger/lib/status/scrape"
)

// Bounds of what the details of an app list.
const (
	shownRequests  = 200
	shownProcesses = 200
	shownExits     = 20
	shownOutput    = 40 // lines
)

// A View is what the page shows at one moment. Pointers are nil for what is not
// known.
type View struct {
	At           time.Time          `json:"at"`
	StateDir     string             `json:"state_dir"`
	Parts        []status.Part      `json:"parts"`
	Warnings     []string           `json:"warnings"`
	MaxPoolSize  *int               `json:"max_pool_size"`
	ProcessCount int                `json:"process_count"`
	Memory       *int64             `json:"memory_bytes"`
	Connections  *int               `json:"connections"`
	Apps         []Row              `json:"apps"`
	App          *Detail            `json:"app"` // nil unless one is asked for and there
	Refused      []protocol.Refusal `json:"refused"`
	Certificates []Certificate      `json:"certificates"`
}

// A Row is one app in the table of all.
type Row struct {
	Name       string   `json:"name"`
	State      string   `json:"state"`
	Generation int      `json:"generation"`
	Busy       int      `json:"busy"`
	Total      int      `json:"total"`
	Queued     *int     `json:"queued"`
	OldestWait float64  `json:"oldest_wait_seconds"`
	Rate       *float64 `json:"rate"` // requests a second, in the last minute
	P50        *float64 `json:"p50_seconds"`
	P95        *float64 `json:"p95_seconds"`
	Memory     *int64   `json:"memory_bytes"`
	Trouble    string   `json:"trouble,omitempty"`
}

// A Detail is all of one app.
type Detail struct {
	status.App
	Lines    map[string]Line    `json:"lines"` // by process
	Requests []protocol.Request `json:"requests_in_flight"`
	Deploys  []protocol.Restart `json:"deploys"`

	// More says how many processes, requests and exits there are beyond those
	// that are listed.
	More struct {
		Processes int `json:"processes"`
		Side      int `json:"side_processes"`
		Requests  int `json:"requests"`
		Exits     int `json:"exits"`
	} `json:"more"`
}

// A Line is the last five minutes of a process, the newest last, a sample each
// five seconds.
type Line struct {
	CPU    []float32 `json:"cpu_percent"`
	Memory []float32 `json:"memory_mib"`
}

// A Certificate is one of the proxy's.
type Certificate struct {
	Name string    `json:"name"`
	File string    `json:"file,omitempty"`
	Ends time.Time `json:"ends"`
}

// View is what the page shows of a snapshot, with the details of an app if it
// is named and there. requests are those of all apps, the oldest first.
func (h *History) View(s status.Snapshot, app string, requests []protocol.Request) View {
	st := s.Status()
	v := View{
		At: st.At, StateDir: st.StateDir, Parts: st.Parts, Warnings: st.Warnings, MaxPoolSize: st.MaxPoolSize, ProcessCount: st.ProcessCount,
		Memory: st.Memory, Connections: st.Connections, Apps: []Row{}, Refused: []protocol.Refusal{}, Certificates: []Certificate{},
	}
	if s.Apps != nil && s.Apps.Refused != nil {
		v.Refused = s.Apps.Refused
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range st.Apps {
		a := &st.Apps[i]
		v.Apps = append(v.Apps, h.row(a))
		if a.Name == app {
			v.App = h.detail(a, requests)
		}
	}
	return v
}

func (h *History) row(a *status.App) Row {
	r := Row{
		Name: a.Name, State: a.State, Generation: a.Generation, Total: len(a.Processes),
		Queued: a.Queued, OldestWait: a.OldestWait, Memory: a.Memory, Trouble: a.Trouble(),
	}
	for _, p := range a.Processes {
		if p.InFlight != nil && *p.InFlight > 0 {
			r.Busy++
		}
	}
	if c := h.apps[a.Name]; c != nil {
		r.Rate, r.P50, r.P95 = c.rate(), c.quantile(0.5), c.quantile(0.95)
	}
	return r
}

func (h *History) detail(a *status.App, requests []protocol.Request) *Detail {
	d := &Detail{App: *a, Lines: map[string]Line{}, Requests: []protocol.Request{}, Deploys: []protocol.Restart{}}
	d.Processes, d.More.Processes = d.take(h, a.Processes, shownProcesses)
	d.Exited, d.More.Exits = d.take(h, a.Exited, shownExits)
	d.Side = slices.Clone(a.Side)
	for i := range d.Side {
		s := &d.Side[i]
		more := 0
		s.Processes, more = d.take(h, s.Processes, shownProcesses)
		d.More.Side += more
		s.LastError = shownError(s.LastError)
	}
	of := []protocol.Request{}
	for _, r := range requests {
		if r.App == a.Name {
			of = append(of, r)
		}
	}
	d.Requests, d.More.Requests = first(of, shownRequests)
	d.LastError = shownError(a.LastError)
	if c := h.apps[a.Name]; c != nil {
		d.Deploys = append(d.Deploys, c.deploys...)
	} else if a.Restart != nil {
		d.Deploys = append(d.Deploys, *a.Restart)
	}
	for i := range d.Deploys {
		if e := d.Deploys[i].Error; e != nil {
			d.Deploys[i].Error = &protocol.SpawnError{Category: e.Category, Summary: e.Summary, Advice: e.Advice, At: e.At}
		}
	}
	return d
}

// take returns the first of the processes, without secrets, and how many there are
// beyond. It files their lines.
func (d *Detail) take(h *History, all []status.Process, most int) ([]status.Process, int) {
	list, more := first(all, most)
	for i := range list {
		p := &list[i]
		p.Command = secret.Command(p.Command)
		if l := h.processes[p.ID]; l != nil {
			d.Lines[p.ID] = Line{CPU: append([]float32{}, l.shares...), Memory: append([]float32{}, l.memory...)}
		}
	}
	return list, more
}

// shownError is a spawn error without secrets, and with the end of its output.
func shownError(e *protocol.SpawnError) *protocol.SpawnError {
	if e == nil {
		return nil
	}
	shown := *e
	shown.Environment, shown.Command = nil, secret.Command(e.Command)
	shown.Output = e.Output[max(0, len(e.Output)-shownOutput):]
	return &shown
}

// first returns a copy of the first items, and how many there are beyond.
func first[T any](all []T, most int) (some []T, more int) {
	n := min(len(all), most)
	return append([]T{}, all[:n]...), len(all) - n
}

// Certificates are the proxy's, those that end first first.
func Certificates(metrics []byte) []Certificate {
	list := []Certificate{}
	for _, s := range scrape.Samples(metrics, "passenger_certificate_expiry_timestamp_seconds") {
		list = append(list, Certificate{Name: s.Labels["name"], File: s.Labels["file"], Ends: time.Unix(int64(s.Value), 0)})
	}
	slices.SortFunc(list, func(a, b Certificate) int { return cmp.Or(a.Ends.Compare(b.Ends), cmp.Compare(a.Name, b.Name)) })
	return list
}
