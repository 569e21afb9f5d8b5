// Package phusion writes what runs in the forms of Phusion Passenger 6's
// passenger-status: the XML that telegraf's plug-in, passenger_exporter and
// checks for Nagios parse, and the JSON of its requests.
//
// Elements have the names and the units that they have there: memory in KiB,
// times in microseconds since 1970. What does not exist here is left out.
package phusion

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status"
)

// header names the encoding that Phusion Passenger names. What follows is ASCII,
// with references for all other characters, so it is right in any encoding.
const header = `<?xml version="1.0" encoding="iso-8859-1" ?>` + "\n"

// XML is the document of --show=xml.
func XML(s status.Snapshot, st status.Status) (string, error) {
	doc := info{Version: "3", Release: release(st), Groups: len(st.Apps)}
	if st.MaxPoolSize != nil {
		doc.Max = *st.MaxPoolSize
	}
	records := recordsOf(s)
	for i := range st.Apps {
		g := groupOf(&st.Apps[i], records, s.At)
		doc.Processes += g.Enabled
		doc.Capacity += g.Capacity
		doc.Supergroups = append(doc.Supergroups, supergroup{Name: g.Name, State: "READY", Capacity: g.Capacity, Group: g})
	}
	b, err := xml.MarshalIndent(doc, "", "   ")
	if err != nil {
		return "", fmt.Errorf("internal error: %w", err)
	}
	return header + ascii(string(b)) + "\n", nil
}

// ascii writes characters beyond ASCII as references.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "&#%d;", r)
	}
	return b.String()
}

func release(st status.Status) string {
	for _, p := range st.Parts {
		if p.Release != "" {
			return p.Release
		}
	}
	return ""
}

func recordsOf(s status.Snapshot) map[string]protocol.Process {
	records := map[string]protocol.Process{}
	list := s.Records
	if s.Processes != nil {
		list = s.Processes.Processes
	}
	for _, p := range list {
		records[p.ID] = p
	}
	return records
}

type info struct {
	XMLName     xml.Name     `xml:"info"`
	Version     string       `xml:"version,attr"`
	Release     string       `xml:"passenger_version"`
	Groups      int          `xml:"group_count"`
	Processes   int          `xml:"process_count"`
	Max         int          `xml:"max"`
	Capacity    int          `xml:"capacity_used"`
	WaitList    int          `xml:"get_wait_list_size"` // there is no queue above the apps'
	Supergroups []supergroup `xml:"supergroups>supergroup"`
}

type supergroup struct {
	Name     string `xml:"name"`
	State    string `xml:"state"`
	WaitList int    `xml:"get_wait_list_size"`
	Capacity int    `xml:"capacity_used"`
	Group    group  `xml:"group"`
}

type group struct {
	Default     string    `xml:"default,attr"`
	Name        string    `xml:"name"`
	Component   string    `xml:"component_name"`
	AppRoot     string    `xml:"app_root"`
	AppType     string    `xml:"app_type"`
	Environment string    `xml:"environment"`
	Enabled     int       `xml:"enabled_process_count"`
	Disabling   int       `xml:"disabling_process_count"`
	Disabled    int       `xml:"disabled_process_count"`
	Capacity    int       `xml:"capacity_used"`
	WaitList    int       `xml:"get_wait_list_size"`
	DisableList int       `xml:"disable_wait_list_size"`
	Spawning    int       `xml:"processes_being_spawned"`
	IsSpawning  *struct{} `xml:"spawning"`
	Restarting  *struct{} `xml:"restarting"`
	LifeStatus  string    `xml:"life_status"`
	User        string    `xml:"user,omitempty"`
	GID         *int      `xml:"gid,omitempty"`
	Options     options   `xml:"options"`
	Processes   []process `xml:"processes>process"`
}

type options struct {
	AppRoot     string `xml:"app_root"`
	GroupName   string `xml:"app_group_name"`
	AppType     string `xml:"app_type"`
	Environment string `xml:"environment"`
	BaseURI     string `xml:"base_uri"`
	Min         int    `xml:"min_processes"`
	Max         int    `xml:"max_processes"`
}

type process struct {
	PID           int    `xml:"pid"`
	Sticky        string `xml:"sticky_session_id"`
	GUPID         string `xml:"gupid"`
	Concurrency   int    `xml:"concurrency"`
	Sessions      int    `xml:"sessions"`
	Busyness      int64  `xml:"busyness"`
	Processed     uint64 `xml:"processed"`
	SpawnerMade   int64  `xml:"spawner_creation_time"`
	SpawnStart    int64  `xml:"spawn_start_time"`
	SpawnEnd      int64  `xml:"spawn_end_time"`
	LastUsed      int64  `xml:"last_used"`
	LastUsedWords string `xml:"last_used_desc"`
	Uptime        string `xml:"uptime"`
	LifeStatus    string `xml:"life_status"`
	Enabled       string `xml:"enabled"`
	HasMetrics    bool   `xml:"has_metrics"`
	CPU           int64  `xml:"cpu"`
	RSS           int64  `xml:"rss"`
	PSS           int64  `xml:"pss"`
	RealMemory    int64  `xml:"real_memory"`
	ProcessGroup  int    `xml:"process_group_id"`
	Command       string `xml:"command"`
}

func groupOf(a *status.App, records map[string]protocol.Process, now time.Time) group {
	g := group{
		Default: "true", Name: a.Name, Component: a.Name, AppRoot: a.AppRoot, AppType: a.Type, Environment: a.Environment,
		LifeStatus: "ALIVE",
		Options:    options{AppRoot: a.AppRoot, GroupName: a.Name, AppType: a.Type, Environment: a.Environment, BaseURI: a.BaseURI, Max: a.MaxInstances},
	}
	if a.MinInstances != nil {
		g.Options.Min = *a.MinInstances
	}
	if a.Queued != nil {
		g.WaitList = *a.Queued
	}
	if a.State == protocol.AppRestarting {
		g.Restarting = &struct{}{}
	}
	for i := range a.Processes {
		p := &a.Processes[i]
		g.Capacity++
		switch p.State {
		case protocol.Starting:
			g.Spawning++
			g.IsSpawning = &struct{}{}
			continue
		case protocol.Ready:
			g.Enabled++
		}
		record := records[p.ID]
		g.User, g.GID = record.User, record.GID
		g.Processes = append(g.Processes, processOf(p, record, now))
	}
	return g
}

func processOf(p *status.Process, record protocol.Process, now time.Time) process {
	x := process{
		PID: p.PID, Sticky: p.ID, GUPID: p.ID, Concurrency: p.Concurrency, ProcessGroup: p.PID,
		SpawnerMade: micro(p.StartedAt), SpawnStart: micro(p.StartedAt), SpawnEnd: micro(record.ReadyAt),
		LastUsed: micro(p.LastUsed), LastUsedWords: "never",
		Uptime: uptime(p.Uptime), LifeStatus: "ALIVE", Enabled: "ENABLED", Command: strings.Join(p.Command, " "),
	}
	if p.State != protocol.Ready {
		x.Enabled = "DETACHED" // it gets no more requests
	}
	if p.State == protocol.Stopping {
		x.LifeStatus = "SHUTDOWN_TRIGGERED"
	}
	if p.InFlight != nil {
		x.Sessions = *p.InFlight
	}
	x.Busyness = int64(x.Sessions)
	if p.Concurrency > 0 {
		x.Busyness = int64(x.Sessions) * math.MaxInt32 / int64(p.Concurrency)
	}
	if p.Processed != nil {
		x.Processed = *p.Processed
	}
	if !p.LastUsed.IsZero() {
		x.LastUsedWords = uptime(now.Sub(p.LastUsed).Seconds()) + " ago"
	}
	if u := p.Usage; u != nil {
		x.HasMetrics, x.RSS = true, u.RSS>>10
		x.PSS = max(0, u.PSS) >> 10
		x.RealMemory = x.PSS
		if u.PSS < 0 {
			x.RealMemory = x.RSS
		}
		if p.Uptime > 0 {
			x.CPU = int64(100 * u.CPU / p.Uptime)
		}
	}
	return x
}

// micro is a time as the document has it, 0 for the zero time.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// uptime writes "1d 2h 3m 4s", without the large units that are zero.
func uptime(seconds float64) string {
	left := int64(max(0, seconds))
	text := ""
	for _, unit := range []struct {
		name string
		of   int64
	}{{"d", 86400}, {"h", 3600}, {"m", 60}} {
		if n := left / unit.of; n > 0 || text != "" {
			text += fmt.Sprintf("%d%s ", n, unit.name)
		}
		left %= unit.of
	}
	return text + fmt.Sprintf("%ds", left)
}
