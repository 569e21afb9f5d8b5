package phusion

import (
	"encoding/json"
	"fmt"
	"time"

	"passenger/lib/protocol"
)

// Server is the document of --show=requests and --show=server, indented JSON.
// Our proxy has no threads of its own to tell apart: all is of one.
func Server(requests []protocol.Request, now time.Time) (string, error) {
	clients := map[string]client{}
	for i, r := range requests {
		began := stamp(now.Add(-time.Duration(r.Age * float64(time.Second))))
		clients[fmt.Sprintf("1-%d", i+1)] = client{
			State: "ACTIVE",
			Request: request{
				Method: r.Method, Host: r.Host, Path: r.Path, State: r.Phase, StartedAt: began,
				Session: session{PID: r.PID, GUPID: r.ProcessID},
			},
		}
	}
	b, err := json.MarshalIndent(map[string]any{
		"threads": 1,
		"thread1": thread{Active: len(clients), Clients: clients},
	}, "", "   ")
	if err != nil {
		return "", fmt.Errorf("internal error: %w", err)
	}
	return string(b) + "\n", nil
}

type thread struct {
	Active  int               `json:"active_client_count"`
	Clients map[string]client `json:"active_clients"`
}

type client struct {
	State   string  `json:"connection_state"`
	Request request `json:"current_request"`
}

type request struct {
	Method    string  `json:"method"`
	Host      string  `json:"host"`
	Path      string  `json:"path"`
	State     string  `json:"state"`
	StartedAt instant `json:"started_at"`
	Session   session `json:"session"`
}

type session struct {
	PID   int    `json:"pid"`
	GUPID string `json:"gupid"`
}

// An instant is a time as that document has it.
type instant struct {
	Timestamp float64 `json:"timestamp"` // seconds since 1970
	Local     string  `json:"local"`
}

func stamp(t time.Time) instant {
	return instant{float64(t.UnixMicro()) / 1e6, t.Local().Format(time.ANSIC)}
}
