package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"passenger/lib/protocol"
)

// Status merges the answers. Where two parts know the same thing, the one that
// decides it is believed: the pool on an app, the spawner on a process, the
// proxy on requests.
func (s Snapshot) Status() Status {
	st := Status{
		Version: protocol.Version, At: s.At, StateDir: s.StateDir,
		OK:            !slices.ContainsFunc(s.Parts, func(p Part) bool { return p.State != Up }),
		Parts:         s.Parts,
		Warnings:      s.warnings(),
		RoutesVersion: s.Routes.Version,
		Apps:          []App{},
	}
	if s.Apps != nil {
		st.MaxPoolSize, st.MaxPoolSizeReason = &s.Apps.MaxPoolSize, s.Apps.MaxPoolSizeReason
	}
	if s.Proxy != nil {
		st.Connections = &s.Proxy.Connections
		st.RoutesVersion = s.Proxy.RoutesVersion
	}
	known := map[string][]*protocol.Process{} // by app
	all := s.known()
	for i := range all {
		known[all[i].App] = append(known[all[i].App], &all[i])
	}
	for _, name := range s.appNames() {
		a := s.app(name, known[name])
		st.ProcessCount += len(a.Processes)
		st.Apps = append(st.Apps, a)
	}
	st.Memory = st.memory()
	return st
}

func (s Snapshot) warnings() []string {
	w := []string{}
	if s.Apps != nil && s.Processes != nil && !s.Apps.SpawnerUp {
		w = append(w, "the pool is not connected to the spawner: nothing is started or stopped")
	}
	if s.Apps != nil && s.Proxy != nil && len(s.Apps.Proxies) == 0 {
		w = append(w, "the proxy does not report to the pool: it may serve from an old route table")
	}
	if s.Processes != nil {
		w = append(w, strays(s.Processes.Strays)...)
	}
	for _, p := range s.known() {
		if len(p.ReleaseChanged) > 0 && p.Exit == nil {
			w = append(w, fmt.Sprintf("process %d of app %q runs files that are not those its generation began with: %s; restart the app if you changed them",
				p.PID, p.App, strings.Join(p.ReleaseChanged, ", ")))
		}
		if p.Unrecorded != "" && p.Exit == nil {
			w = append(w, fmt.Sprintf("process %d of app %q has no record, and a spawner that is started now ends it: %s", p.PID, p.App, p.Unrecorded))
		}
	}
	return append(append(w, s.shortages()...), s.refusals()...)
}

// shortages tell of memory that keeps processes from apps, and of memory that
// nobody knows.
func (s Snapshot) shortages() (w []string) {
	if s.Apps == nil {
		return nil
	}
	if s.Apps.Host.Unknown != "" {
		w = append(w, "the pool starts processes without regard to memory, which it does not know: "+s.Apps.Host.Unknown)
	}
	for _, a := range s.Apps.Apps {
		if a.Withheld != "" {
			w = append(w, fmt.Sprintf("memory keeps app %q from another process: %s", a.Name, a.Withheld))
		}
	}
	return w
}

// strays tells of processes that apps have left behind and that run on.
func strays(list []protocol.Stray) []string {
	var w []string
	for _, x := range list {
		whose := "left by an app that is not known"
		switch {
		case x.Process != "":
			whose = fmt.Sprintf("left by app %q, and ends with its process %s", x.App, x.Process)
		case x.App != "":
			whose = fmt.Sprintf("left by app %q or another of that user", x.App)
		}
		w = append(w, fmt.Sprintf("process %d of user %s is %s: %s", x.PID, x.User, whose, x.Command))
	}
	return w
}

// refusals tells of each file of settings that the pool refused.
func (s Snapshot) refusals() []string {
	var w []string
	if s.Apps == nil {
		return nil
	}
	for _, r := range s.Apps.Refused {
		switch {
		case r.App == "":
			w = append(w, "settings are refused, and what runs goes on with the old ones: "+r.Message)
		case s.pooled(r.App) >= 0:
			w = append(w, fmt.Sprintf("settings of app %q are refused, and it runs on with the old ones: %s", r.App, r.Message))
		default:
			w = append(w, fmt.Sprintf("settings of app %q are refused, and it does not run: %s", r.App, r.Message))
		}
	}
	return w
}

func (s Snapshot) appNames() []string {
	var names []string
	if s.Apps != nil {
		for _, a := range s.Apps.Apps {
			names = append(names, a.Name)
		}
	} else {
		for _, r := range s.Routes.Apps {
			names = append(names, r.App)
		}
	}
	for _, p := range s.known() {
		if p.Exit == nil {
			names = append(names, p.App)
		}
	}
	if s.Preloaders != nil {
		for _, l := range s.Preloaders.Preloaders {
			names = append(names, l.App)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// known returns the processes that the spawner tells, else those of the records.
func (s Snapshot) known() []protocol.Process {
	if s.Processes != nil {
		return s.Processes.Processes
	}
	return s.Records
}

// app merges what is known of one app and of its processes.
func (s Snapshot) app(name string, known []*protocol.Process) App {
	a := App{Name: name, State: unknownState, Processes: []Process{}, Exited: []Process{}}
	pooled := map[string]*protocol.AppProcess{}
	if i := s.pooled(name); i >= 0 {
		pa := s.Apps.Apps[i]
		a.describe(pa)
		a.Side = side(pa.Side)
		for i := range pa.Processes {
			pooled[pa.Processes[i].ID] = &pa.Processes[i]
		}
	} else if i := slices.IndexFunc(s.Routes.Apps, func(r *protocol.Route) bool { return r.App == name }); i >= 0 {
		r := s.Routes.Apps[i]
		a.Generation, a.ServerNames, a.BaseURI, a.LastError = r.Generation, r.ServerNames, r.BaseURI, r.Error
	}
	s.count(&a)
	for _, p := range known {
		ap, ok := pooled[p.ID]
		delete(pooled, p.ID)
		if !ok {
			ap = &protocol.AppProcess{}
			ap.State = s.routed(p)
		}
		a.add(p, s.process(p, ap, ok))
	}
	for _, p := range pooled { // those that only the pool knows, yet
		a.add(&p.Process, s.process(&p.Process, p, true))
	}
	slices.SortFunc(a.Processes, func(p, q Process) int {
		return cmp.Or(p.StartedAt.Compare(q.StartedAt), cmp.Compare(p.ID, q.ID))
	})
	a.Preloaders = s.preloaders(name)
	a.Memory = a.memory()
	slices.SortFunc(a.Exited, func(p, q Process) int { return q.Exit.At.Compare(p.Exit.At) })
	return a
}

// add files a process under those that run or those that exited.
func (a *App) add(p *protocol.Process, merged Process) {
	if p.ProcessType == "" {
		a.Type = cmp.Or(a.Type, p.Type)
	}
	a.AppRoot = cmp.Or(a.AppRoot, p.AppRoot)
	merged.ProcessType = p.ProcessType
	if merged.Exit != nil {
		a.Exited = append(a.Exited, merged)
		return
	}
	if p.ProcessType != "" {
		a.addSide(merged)
		return
	}
	a.Processes = append(a.Processes, merged)
}

// describe takes over what the pool says of the app itself.
func (a *App) describe(pa protocol.App) {
	a.State, a.Generation = pa.State, pa.Generation
	a.Type, a.AppRoot, a.Environment = pa.Config.Type, pa.Config.AppRoot, pa.Config.Environment
	a.ServerNames, a.BaseURI = pa.Config.ServerNames, pa.Config.BaseURI
	a.MinInstances, a.MaxInstances = pa.Config.MinInstances, pa.Config.MaxInstances
	a.Queued, a.OldestWait = &pa.Queued, pa.OldestWait
	a.Failures, a.NextTry, a.LastError = pa.Failures, pa.NextTry, pa.LastError
	a.Restart, a.Paused, a.Instances = pa.Restart, pa.Paused, pa.Instances
}

func (s Snapshot) pooled(name string) int {
	if s.Apps == nil {
		return -1
	}
	return slices.IndexFunc(s.Apps.Apps, func(a protocol.App) bool { return a.Name == name })
}

// alone says that the proxy that answered is the only one, so that its own
// numbers are newer than the pool's sums and no smaller.
func (s Snapshot) alone() bool {
	return s.Proxy != nil && (s.Apps == nil || len(s.Apps.Proxies) <= 1)
}

// count takes over the proxy's numbers of the app.
func (s Snapshot) count(a *App) {
	if s.Proxy == nil {
		return
	}
	r := s.Proxy.Report.Apps[a.Name] // missing: nothing counted yet
	a.Requests, a.Rejected, a.Upgraded = &r.Requests, &r.Rejected, r.Upgraded
	if s.alone() {
		a.Queued, a.OldestWait = &r.Queued, r.OldestWait
	}
}

// routed returns the state of a process that the pool told nothing of: that of
// its record, but draining if the route table says so.
func (s Snapshot) routed(p *protocol.Process) protocol.State {
	for _, r := range s.Routes.Apps {
		for _, rp := range r.Processes {
			if rp.ID == p.ID && rp.Draining && p.State == protocol.Ready {
				return protocol.Draining
			}
		}
	}
	return p.State
}

// process merges what the spawner or a record says of a process with what the
// pool says of it and with the proxy's numbers.
func (s Snapshot) process(p *protocol.Process, ap *protocol.AppProcess, pooled bool) Process {
	m := Process{
		ID: p.ID, PID: p.PID, Generation: p.Generation, State: ap.State,
		Address: p.Address, DataProtocol: p.DataProtocol, Concurrency: p.Concurrency,
		User: p.User, Command: p.Command,
		StartedAt: p.StartedAt, Adopted: p.Adopted, Usage: p.Usage, Exit: p.Exit,
	}
	if p.State == protocol.Stopping || p.State == protocol.Exited {
		m.State = p.State // the spawner knows it first
	}
	if !p.StartedAt.IsZero() {
		m.Uptime = max(0, s.At.Sub(p.StartedAt).Seconds())
		if p.Exit != nil {
			m.Uptime = max(0, p.Exit.At.Sub(p.StartedAt).Seconds())
		}
	}
	if p.ProcessType != "" {
		return m // it has no requests
	}
	if pooled {
		m.InFlight, m.Processed, m.LastUsed = &ap.InFlight, &ap.Processed, ap.LastUsed
	}
	if s.alone() {
		r := s.Proxy.Report.Processes[p.ID] // missing: never used
		m.InFlight = &r.InFlight
		processed := max(r.Processed, ap.Processed)
		m.Processed = &processed
		m.LastUsed = later(m.LastUsed, r.LastUsed)
	}
	return m
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
