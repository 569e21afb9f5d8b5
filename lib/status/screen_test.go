package status

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status/layout"
)

// village has many apps, each with processes.
func village(apps, processes int) Snapshot {
	s := Snapshot{
		At: now, StateDir: "/run/passenger", Parts: upParts(), Processes: &protocol.ProcessList{}, Preloaders: &protocol.PreloaderList{},
		Apps:  &protocol.AppList{MaxPoolSize: 99, SpawnerUp: true, Proxies: []string{"p1"}},
		Proxy: &protocol.ProxyApps{Connections: 7},
	}
	for i := range apps {
		a := protocol.App{Name: fmt.Sprintf("app%02d", i), Generation: 3, State: protocol.AppReady, Config: protocol.AppConfig{
			AppRoot: fmt.Sprintf("/srv/app%02d/current", i), Type: protocol.TypeRack, Environment: "production", BaseURI: "/",
		}}
		for j := range processes {
			p := process(fmt.Sprintf("p%dq%d", i, j), 4000+100*i+j, protocol.Ready, 3*time.Hour-time.Duration(j)*time.Second)
			p.App = a.Name
			s.Processes.Processes = append(s.Processes.Processes, p)
			a.Processes = append(a.Processes, protocol.AppProcess{Process: p, Processed: 1234567})
		}
		s.Apps.Apps = append(s.Apps.Apps, a)
	}
	return s
}

func TestScreenGolden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		s             Snapshot
		width, height int
	}{
		{"night-80x24", night(), 80, 24}, {"night-120x40", night(), 120, 40}, {"night-40x10", night(), 40, 10},
		{"three-80x24", village(3, 2), 80, 24}, {"one-80x24", village(1, 40), 80, 24}, {"many-80x24", village(40, 2), 80, 24},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			golden(t, tt.name+".txt", tt.s.Status().Screen(Style{Width: tt.width, Height: tt.height})+"\n")
		})
	}
}

func TestScreenFitsEveryTerminal(t *testing.T) {
	t.Parallel()
	long := night()
	long.Apps.Apps[1].LastError.Summary = strings.Repeat("模块\u0301\tмодуль ", 40)
	for name, s := range map[string]Snapshot{"long": long, "village": village(12, 3), "ashes": ashes()} {
		st := s.Status()
		for height := 1; height < 60; height++ {
			for _, width := range []int{1, 2, 19, 80, 200} {
				text := st.Screen(Style{Width: width, Height: height, Colour: height%2 == 0})
				lines := strings.Split(text, "\n")
				if len(lines) > height {
					t.Fatalf("%s on %d×%d has %d lines", name, width, height, len(lines))
				}
				for _, line := range lines {
					if got := shownWidth(line); got > width || strings.Contains(line, "\t") {
						t.Fatalf("%s on %d×%d: a line takes %d columns: %q", name, width, height, got, line)
					}
				}
			}
		}
	}
}

// shownWidth is the width of a line without its marks.
func shownWidth(line string) int {
	for _, code := range []string{"0", "1", "2", "1;31", "32", "33"} {
		line = strings.ReplaceAll(line, "\x1b["+code+"m", "")
	}
	return layout.Width(line)
}
