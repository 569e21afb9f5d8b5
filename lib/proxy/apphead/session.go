package apphead

import (
	"strconv"

	"passenger/lib/http1"
	"passenger/lib/protocol"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/tunnel"
)

// AppendSession returns the request's block for a process that speaks the
// session protocol: in b's memory, with values in between if names stand apart
// from values there, form 2 and more.
func (h *Head) AppendSession(b, values []byte, form int) []byte {
	k := http1.PairsBlock(b)
	switch {
	case form == protocol.SessionAhead:
		k = http1.ApartBlock(b, values, aheadMark)
	case form == protocol.SessionApart:
		k = http1.ApartBlock(b, values, "")
	}
	h.addVariables(&k, form >= protocol.SessionApart)
	return k.Finish()
}

// aheadMark stands before the first name in a block of form 3.
const aheadMark = "+"

// addVariables adds what most requests have first, in the same order for all.
func (h *Head) addVariables(k *http1.Block, apart bool) {
	r, f := h.Request, &h.Claims
	k.Name("CONTENT_LENGTH")
	if !r.Chunked {
		k.Value = strconv.AppendInt(k.Value, max(r.ContentLength, 0), 10)
	}
	k.End()
	if !apart {
		k.Pair("SCGI", "1")
	}
	add(k, "REQUEST_METHOD", r.Method)
	k.Name("REQUEST_URI")
	k.Value = AppendTarget(k.Value, h.Request)
	k.End()
	k.Pair("SCRIPT_NAME", h.Base)
	add(k, "PATH_INFO", r.Path[len(h.Base):])
	add(k, "QUERY_STRING", r.Query)
	add(k, "SERVER_NAME", f.Name)
	add(k, "SERVER_PORT", f.NamePort)
	if r.Minor > 0 {
		k.Pair("SERVER_PROTOCOL", "HTTP/1.1")
	} else {
		k.Pair("SERVER_PROTOCOL", "HTTP/1.0")
	}
	k.Name("SERVER_SOFTWARE")
	k.Value = append(append(k.Value, "passenger/"...), h.Release...)
	k.End()
	h.addAddress(k)
	h.addForwarded(k, f)
	if r.Chunked {
		k.Pair("TRANSFER_ENCODING", "chunked")
	}
	if f.Https {
		k.Pair("HTTPS", "on")
	}
	if v := r.Find(http1.ContentType); v != nil {
		add(k, "CONTENT_TYPE", v)
	}
	if user := h.Headers.Value(h.Request, fronted.RemoteUser); user != nil {
		add(k, "REMOTE_USER", user)
	}
	if r.Host != nil {
		add(k, "HTTP_HOST", r.Host)
	}
	h.addFields(k)
	if s := h.Sendfile; s != nil {
		for _, pair := range s.Pairs {
			k.Pair(pair[0], pair[1])
		}
	}
	if h.Upgrade {
		k.Pair("HTTP_CONNECTION", "Upgrade")
		k.Name("HTTP_UPGRADE")
		k.Value = http1.AppendList(k.Value, tunnel.Wanted(h.Request))
		k.End()
	}
}

func add(k *http1.Block, name string, value []byte) {
	k.Name(name)
	k.Value = append(append(k.Value, value...), 0)
}

func (h *Head) addAddress(k *http1.Block) {
	k.Name("REMOTE_ADDR")
	n := len(k.Value)
	if k.Value = h.Headers.AppendAddr(k.Value, h.Request, h.Addr); len(k.Value) == n {
		k.Value = append(k.Value, "127.0.0.1"...)
	}
	k.End()
	k.Name("REMOTE_PORT")
	k.Value = h.Headers.AppendPort(k.Value, h.Request, h.Port)
	k.End()
}

// addFields adds what the client sent.
func (h *Head) addFields(k *http1.Block) {
	without := &sessionFromClient
	if h.Trusted {
		without = &sessionFromTrusted
	}
	if !h.traces() {
		h.Request.AddVariables(k, without)
		return
	}
	others := *without
	others[http1.TraceParent], others[http1.TraceState] = true, !h.Continues
	h.Request.AddVariables(k, &others)
	k.Name("HTTP_TRACEPARENT")
	k.Value = h.appendTrace(k.Value)
	k.End()
}

func (h *Head) addForwarded(k *http1.Block, f *forwarded.Claims) {
	before := *k
	k.Name("HTTP_X_FORWARDED_FOR")
	n := len(k.Value)
	if k.Value = h.appendChain(k.Value); len(k.Value) > n {
		k.End()
	} else {
		*k = before
	}
	add(k, "HTTP_X_FORWARDED_PROTO", f.Proto)
	add(k, "HTTP_X_FORWARDED_HOST", f.Host)
	add(k, "HTTP_X_FORWARDED_PORT", f.Port)
	add(k, "HTTP_X_REQUEST_ID", h.ID)
	k.Name("HTTP_X_REQUEST_START")
	k.Value = h.appendStart(k.Value)
	k.End()
}
