package dashboard

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status"
	"passenger/lib/status/scrape"
)

var now = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// at is the state after so many steps, in which each of so many processes had
// half a processor and ten requests a second were answered.
func at(step, processes int) status.Snapshot {
	s := status.Snapshot{
		At: now.Add(time.Duration(step) * Step), Processes: &protocol.ProcessList{}, Apps: &protocol.AppList{},
		Proxy: &protocol.ProxyApps{Report: protocol.ProxyReport{Apps: map[string]protocol.AppReport{"shop": {Requests: uint64(50 * step)}}}},
	}
	a := protocol.App{Name: "shop", Restart: &protocol.Restart{Generation: step / 10, State: protocol.RestartDone, BeganAt: now.Add(time.Duration(step/10) * time.Hour)}}
	for i := range processes {
		p := protocol.Process{ID: fmt.Sprintf("p%d", i), App: "shop", State: protocol.Ready, Usage: &protocol.Usage{CPU: 2.5 * float64(step), PSS: int64(step) << 20}}
		s.Processes.Processes = append(s.Processes.Processes, p)
		a.Processes = append(a.Processes, protocol.AppProcess{Process: p})
	}
	s.Apps.Apps = []protocol.App{a}
	return s
}

func durations(step int) map[string]scrape.Histogram {
	return map[string]scrape.Histogram{"shop": {Bounds: []float64{0.1, 1}, Counts: []float64{float64(step), float64(step)}}}
}

func TestHistoryKeepsFiveMinutes(t *testing.T) {
	t.Parallel()
	var h History
	for step := range 200 {
		h.Add(at(step, 2), durations(step))
	}
	v := h.View(at(200, 2), "shop", nil)
	line := v.App.Lines["p1"]
	if len(line.CPU) != kept || len(line.Memory) != kept || line.CPU[kept-1] != 50 || line.Memory[kept-1] != 199 {
		t.Errorf("got %d and %d samples, the last ones %v and %v; want %d, 50 and 199", len(line.CPU), len(line.Memory), line.CPU[kept-1], line.Memory[kept-1], kept)
	}
	row := v.Apps[0]
	if row.Rate == nil || *row.Rate != 10 || row.P50 == nil || math.Abs(*row.P50-0.05) > 1e-9 {
		t.Errorf("got %+v, want 10 requests a second of 50 ms", row)
	}
	if n := len(v.App.Deploys); n != keptDeploys || v.App.Deploys[0].Generation != 19 {
		t.Errorf("got %d deploys, the first %+v; want the newest %d", n, v.App.Deploys[0], keptDeploys)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	var h History
	h.Add(at(0, mostProcesses+10), nil)
	if len(h.processes) != mostProcesses {
		t.Errorf("got %d processes, want %d", len(h.processes), mostProcesses)
	}
	h.Add(at(2*kept, 0), nil)
	if len(h.processes) != 0 {
		t.Errorf("got %d processes that are gone, want none", len(h.processes))
	}
	v := h.View(at(1, shownProcesses+7), "shop", make([]protocol.Request, 3))
	if len(v.App.Processes) != shownProcesses || v.App.More.Processes != 7 || len(v.App.Requests) != 0 {
		t.Errorf("got %d processes and %+v", len(v.App.Processes), v.App.More)
	}
}

func TestANewProxyBeginsAnew(t *testing.T) {
	t.Parallel()
	var h History
	h.Add(at(10, 0), durations(10))
	s := at(11, 0)
	s.Proxy.Report.Apps["shop"] = protocol.AppReport{Requests: 5}
	h.Add(s, durations(1))
	if rate := h.View(s, "", nil).Apps[0].Rate; rate == nil || *rate != 1 {
		t.Errorf("got %v, want 1 request a second", rate)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	var h History
	s := at(1, 1)
	s.Processes.Processes[0].Command = []string{"serve", "--api-token=geheim"}
	s.Apps.Apps[0].LastError = &protocol.SpawnError{Summary: "no", Environment: map[string]string{"A": "geheim"}, Command: []string{"TOKEN=geheim"}}
	side := protocol.Process{ID: "s", App: "shop", ProcessType: "worker", State: protocol.Ready, Command: []string{"work", "--api-token=geheim"}}
	gone := side
	gone.ID, gone.State, gone.Exit = "g", protocol.Exited, &protocol.Exit{}
	s.Processes.Processes = append(s.Processes.Processes, side, gone)
	s.Apps.Apps[0].Side = []protocol.Side{{Type: "worker", Count: 1, Failures: 1, LastError: s.Apps.Apps[0].LastError}}
	text, err := json.Marshal(h.View(s, "shop", nil))
	if err != nil || strings.Contains(string(text), "geheim") {
		t.Errorf("got %v, %s", err, text)
	}
	for _, want := range []string{`"side_processes":[{"process_type":"worker","count":1,`, `"exited":[{"id":"g"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("got %s, want %s in it", text, want)
		}
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	got := Certificates([]byte("passenger_certificate_expiry_timestamp_seconds{name=\"b\",file=\"\"} 1.8e+09\npassenger_certificate_expiry_timestamp_seconds{name=\"a\",file=\"f\"} 1.7e+09\n"))
	if len(got) != 2 || got[0].Name != "a" || got[1].Ends.Unix() != 1_800_000_000 {
		t.Errorf("got %+v", got)
	}
}

// TestPagesHoldNothingInline: the policy refuses scripts and styles within a
// page, and a page that has some does not work.
func TestPagesHoldNothingInline(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{"page": string(Page()), "login": string(Login()), "again": string(LoginAgain()), "script": string(Files()["/dashboard.js"].Content)} {
		for _, bad := range []string{"<style", " style=", "onclick", "onload", "javascript:", "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "https://"} {
			if strings.Contains(page, bad) {
				t.Errorf("the %s has %q", name, bad)
			}
		}
	}
	if !strings.Contains(string(LoginAgain()), "That is not the token.") {
		t.Error("the login page does not say that the token was wrong")
	}
}
