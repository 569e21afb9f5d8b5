package status

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// many is a machine with a thousand processes.
func many(apps int) Snapshot {
	s := night()
	report := &s.Proxy.Report
	s.Processes, s.Apps = &protocol.ProcessList{}, &protocol.AppList{MaxPoolSize: 1000, SpawnerUp: true, Proxies: []string{"p1"}}
	for i := range apps {
		a := protocol.App{Name: fmt.Sprintf("app%03d", i), Generation: 1, State: protocol.AppReady}
		route := &protocol.Route{App: a.Name}
		for j := range 1000 / apps {
			p := process(fmt.Sprintf("p%03d%04d", i, j), 1000+i*1000+j, protocol.Ready, time.Hour)
			p.App, p.Generation = a.Name, 1
			s.Processes.Processes = append(s.Processes.Processes, p)
			a.Processes = append(a.Processes, protocol.AppProcess{Process: p})
			report.Processes[p.ID] = protocol.ProcessReport{Processed: 7}
			route.Processes = append(route.Processes, protocol.RouteProcess{ID: p.ID})
		}
		s.Apps.Apps = append(s.Apps.Apps, a)
		s.Routes.Apps = append(s.Routes.Apps, route)
	}
	return s
}

func BenchmarkStatus(b *testing.B) {
	for _, apps := range []int{1, 200} {
		s := many(apps)
		b.Run(fmt.Sprintf("merge/%d", apps), func(b *testing.B) {
			for b.Loop() {
				s.Status()
			}
		})
		st := s.Status()
		b.Run(fmt.Sprintf("text/%d", apps), func(b *testing.B) {
			for b.Loop() {
				st.Text(Style{})
			}
		})
	}
	s := many(200)
	for name, v := range map[string]any{"processes": s.Processes, "apps": s.Apps, "proxy": s.Proxy} {
		text, err := json.Marshal(v)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("decode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				switch v.(type) {
				case *protocol.ProcessList:
					err = json.Unmarshal(text, new(protocol.ProcessList))
				case *protocol.AppList:
					err = json.Unmarshal(text, new(protocol.AppList))
				default:
					err = json.Unmarshal(text, new(protocol.ProxyApps))
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("encode/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := json.Marshal(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
