package protocol

import "time"

// Info is the reply to GET /v1/info.
type Info struct {
	Program   string    `json:"program"`
	Version   string    `json:"version"`
	Protocol  int       `json:"protocol"`
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`
	Uptime    float64   `json:"uptime_seconds"`

	// SwitchesUsers says that a spawner runs apps as other users, by settings
	// that it reads itself: requests to it bring none.
	SwitchesUsers bool `json:"switches_users,omitempty"`

	// Usage is what the daemon itself costs; in replies to ?usage=1 only.
	Usage *Usage `json:"usage,omitempty"`

	// Listen is where a proxy accepts clients, empty for the others.
	Listen []string `json:"listen,omitempty"`

	// AdminListen and AgentListen are its ports for those who watch it from other
	// machines; empty if it has none.
	AdminListen string `json:"admin_listen,omitempty"`
	AgentListen string `json:"agent_listen,omitempty"`
}

// Health is the reply to GET /v1/health: status 200 if OK, else 503.
type Health struct {
	OK bool `json:"ok"`

	// Reason is why not, one sentence; empty if OK.
	Reason string `json:"reason,omitempty"`
}

// A Request is one HTTP request in flight in a proxy.
type Request struct {
	ID     string  `json:"id"`
	Method string  `json:"method"`
	Host   string  `json:"host"`
	Path   string  `json:"path"`
	Age    float64 `json:"age_seconds"`

	// Phase is "queued", "connecting", "waiting" (for the response's first
	// byte), "responding" or "upgraded".
	Phase string `json:"phase"`

	App       string `json:"app,omitempty"`
	ProcessID string `json:"process_id,omitempty"`
	PID       int    `json:"pid,omitempty"`
	Client    string `json:"client"`
}

// RequestList is the reply to GET /v1/requests of a proxy, oldest first.
type RequestList struct {
	Requests []Request `json:"requests"`
}

// ProxyApps is the reply to GET /v1/apps of a proxy.
type ProxyApps struct {
	RoutesVersion uint64      `json:"routes_version"`
	Connections   int         `json:"connections"`
	Report        ProxyReport `json:"report"`
}

// A DrainRequest is the body of POST /v1/drain, which may be missing.
type DrainRequest struct {
	// Delay is how long the proxy accepts clients still; nil for what
	// --shutdown-delay says. A delay that has begun ends no later.
	Delay *float64 `json:"delay_seconds,omitempty"`
}
