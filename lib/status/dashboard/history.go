package dashboard

import (
	"slices"
	"sync"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status"
	"passenger/lib/status/scrape"
)

const (
	// Step is the pause between two samples, kept the number of them: five
	// minutes.
	Step = 5 * time.Second
	kept = 60

	// ratedOver is how many samples a rate and a quantile are of: a minute.
	ratedOver = 12

	// mostProcesses and mostApps bound what history takes: about 4 MB. Those
	// beyond are shown without.
	mostProcesses = 4000
	mostApps      = 2000

	// keptDeploys is how many deploys of an app are remembered.
	keptDeploys = 10
)

// A History is what there was in the last five minutes. The zero History is
// empty.
type History struct {
	mu        sync.Mutex // guards the fields below
	processes map[string]*line
	apps      map[string]*course
}

// A line is the samples of one process, the newest last.
type line struct {
	cpu    float64 // seconds so far
	at     time.Time
	shares []float32 // of one processor, in percent
	memory []float32 // MiB; -1 if it is not known
	seen   time.Time
}

// A course is what became of one app.
type course struct {
	counts    []counted // the newest last, at most ratedOver+1
	durations []scrape.Histogram
	deploys   []protocol.Restart // the newest first
	seen      time.Time
}

// A counted is a count of requests at a time.
type counted struct {
	at time.Time
	n  uint64
}

// Add adds a sample. durations are those of all requests so far, by app.
func (h *History) Add(s status.Snapshot, durations map[string]scrape.Histogram) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.processes == nil {
		h.processes, h.apps = map[string]*line{}, map[string]*course{}
	}
	list := s.Records
	if s.Processes != nil {
		list = s.Processes.Processes
	}
	for i := range list {
		if p := &list[i]; p.State != protocol.Exited && p.Usage != nil {
			h.addProcess(p, s.At)
		}
	}
	if s.Apps != nil {
		for i := range s.Apps.Apps {
			h.addApp(&s.Apps.Apps[i], s, durations)
		}
	}
	h.forget(s.At)
}

func (h *History) addProcess(p *protocol.Process, now time.Time) {
	l := h.processes[p.ID]
	if l == nil {
		if len(h.processes) >= mostProcesses {
			return
		}
		l = &line{}
		h.processes[p.ID] = l
	} else if passed := now.Sub(l.at).Seconds(); passed > 0 {
		l.shares = push(l.shares, float32(max(0, 100*(p.Usage.CPU-l.cpu)/passed)))
	}
	memory := float32(-1)
	if p.Usage.PSS >= 0 {
		memory = float32(p.Usage.PSS) / (1 << 20)
	}
	l.memory = push(l.memory, memory)
	l.cpu, l.at, l.seen = p.Usage.CPU, now, now
}

// push appends a sample and lets the oldest go.
func push(samples []float32, x float32) []float32 {
	if len(samples) == kept {
		copy(samples, samples[1:])
		samples = samples[:kept-1]
	}
	return append(samples, x)
}

func (h *History) addApp(a *protocol.App, s status.Snapshot, durations map[string]scrape.Histogram) {
	c := h.apps[a.Name]
	if c == nil {
		if len(h.apps) >= mostApps {
			return
		}
		c = &course{}
		h.apps[a.Name] = c
	}
	c.seen = s.At
	if s.Proxy != nil {
		c.counts = append(c.counts, counted{s.At, s.Proxy.Report.Apps[a.Name].Requests})
		c.counts = c.counts[max(0, len(c.counts)-ratedOver-1):]
		c.durations = append(c.durations, durations[a.Name])
		c.durations = c.durations[max(0, len(c.durations)-ratedOver-1):]
	}
	if a.Restart != nil {
		c.deployed(*a.Restart)
	}
}

// deployed takes a restart over, in the place of what was known of it.
func (c *course) deployed(r protocol.Restart) {
	i := slices.IndexFunc(c.deploys, func(d protocol.Restart) bool { return d.Generation == r.Generation && d.BeganAt.Equal(r.BeganAt) })
	if i >= 0 {
		c.deploys[i] = r
		return
	}
	c.deploys = slices.Insert(c.deploys, 0, r)
	c.deploys = c.deploys[:min(len(c.deploys), keptDeploys)]
}

// forget drops what was not seen for the time of the history.
func (h *History) forget(now time.Time) {
	for id, l := range h.processes {
		if now.Sub(l.seen) > kept*Step {
			delete(h.processes, id)
		}
	}
	for app, c := range h.apps {
		if now.Sub(c.seen) > kept*Step {
			delete(h.apps, app)
		}
	}
}

// rate is the requests a second in the last minute, nil before the second
// sample.
func (c *course) rate() *float64 {
	if len(c.counts) < 2 {
		return nil
	}
	first, last := c.counts[0], c.counts[len(c.counts)-1]
	if last.n < first.n { // a new proxy
		first.n = 0
	}
	rate := float64(last.n-first.n) / last.at.Sub(first.at).Seconds()
	return &rate
}

// quantile is how long requests took in the last minute, nil if there were none.
func (c *course) quantile(q float64) *float64 {
	if len(c.durations) < 2 {
		return nil
	}
	v, ok := c.durations[len(c.durations)-1].Since(c.durations[0]).Quantile(q)
	if !ok {
		return nil
	}
	return &v
}
