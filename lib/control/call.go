package control

import (
	"log/slog"
	"slices"
	"strconv"

	"passenger/lib/account"
	"passenger/lib/bug"
	"passenger/lib/protocol"
	"passenger/lib/security"
)

// A Call is a row of the table of calls that a daemon answers. GET /v1 lists
// the table, and passenger-protocol(7) describes each row.
type Call struct {
	Method string

	// Path may have parts that stand for any one part, such as {name} in
	// "/v1/apps/{name}".
	Path string

	// Access says whether the call changes anything. Calls that do are logged.
	Access protocol.Access

	// Ordered says that people and tools make the call, not daemons: the log says
	// who did.
	Ordered bool

	// Handler answers the call. nil answers with the newest value of Feed.
	Handler Handler

	// Feed answers the call with ?watch=1: each new value is a line. nil means
	// that the call cannot be watched.
	Feed Source

	// plain answers in place of Handler where the reply is no JSON with
	// status 200.
	plain func(*answer)
}

// A Handler answers one request. What it returns is sent as JSON with status
// 200, nil as {}. An error that is not a *protocol.Error is sent as
// CodeInternal.
type Handler func(*Request) (any, error)

// Named is the handler of a call whose path names a process, an app or a
// proxy: "name" for {name}. A name that cannot exist is an error.
func Named(name string, handler func(r *Request, name string) (any, error)) Handler {
	return func(r *Request) (any, error) {
		v, err := ID(r, name)
		if err != nil {
			return nil, err
		}
		return handler(r, v)
	}
}

// errBug answers a call that a bug of ours ended.
var errBug = &protocol.Error{Code: protocol.CodeInternal, Message: "internal error", Hint: "the daemon's log has the details"}

// Register adds rows to the server's table. Two rows of the same method and
// path are a bug, and panic.
func (s *Server) Register(calls ...Call) {
	s.init()
	for _, c := range calls {
		if slices.ContainsFunc(s.table, func(o Call) bool { return o.Method == c.Method && o.Path == c.Path }) {
			panic("internal error: " + c.Method + " " + c.Path + " is registered twice")
		}
		s.table = append(s.table, c)
	}
}

func (s *Server) answer(w *answer, r *Request, c *Call) {
	defer bug.Caught(func() { replyError(w, errBug) })
	switch {
	case c.plain != nil:
		c.plain(w)
		return
	case c.Feed != nil && r.URL.Query().Get("watch") == "1":
		s.watch(w, r, c.Feed)
		w.end()
		return
	}
	v, err := c.handle(r)
	if err != nil {
		replyError(w, err)
		return
	}
	if c.Access == protocol.Changes {
		c.tell(r)
	}
	reply(w, 200, v)
}

// tell logs a call that changed something.
func (c *Call) tell(r *Request) {
	peer, known := Caller(r)
	if !c.Ordered || !known {
		slog.Debug("control call", "method", r.Method, "path", r.URL.Path)
		return
	}
	slog.Info("control call", security.CallMade.Attr(), "user.name", account.NameOf(peer.UID), "user.id", strconv.Itoa(peer.UID), "pid", peer.PID,
		"method", r.Method, "path", r.URL.Path)
}

func (c *Call) handle(r *Request) (any, error) {
	if c.Handler != nil {
		return c.Handler(r)
	}
	v, _ := c.Feed.Newest()
	return v, nil
}

// Calls is the table as GET /v1 shows it: what every daemon answers, then what
// was registered, in that order.
func (s *Server) Calls() []protocol.Call {
	s.init()
	calls := make([]protocol.Call, 0, len(s.table))
	for _, c := range s.table {
		calls = append(calls, protocol.Call{Method: c.Method, Path: c.Path, Access: c.Access, Watch: c.Feed != nil})
	}
	return calls
}

func (s *Server) list(*Request) (any, error) { return protocol.CallList{Calls: s.Calls()}, nil }
