package proxy

import (
	"log/slog"
	"net/http"

	"passenger/lib/proxy/page"
	"passenger/lib/proxy/phase"
	"passenger/lib/proxy/static"
	"passenger/lib/proxy/tunnel"
	"passenger/lib/proxy/wire"
)

// static answers the request from a file, if it can be for one. done says that
// it did, and again whether the connection can go on.
func (x *exchange) static() (done, again bool) {
	m, p := x.req.mount, x.client.proxy
	if !x.req.reads() || x.req.ContentLength > 0 || x.req.Chunked || x.req.AsksUpgrade && tunnel.Asks(&x.req.Request) {
		return false, false
	}
	path := x.req.Path[len(m.base):]
	files, name := m.public.At(path)
	if files == nil {
		return false, false
	}
	b := wire.TakeBuffer(wire.Medium)
	defer b.Free()
	finder := static.Finder{Files: files, Misses: &p.misses, Now: x.req.began, App: m.app.name, Escapes: &m.app.complained}
	var f static.File
	if !finder.Find(&f, &x.req.Request, name, b.B) {
		return false, false
	}
	defer f.Close()
	if value := m.public.CacheControl(path); value != "" {
		f.CacheControl = value
	}
	err := f.Send(fileSink{x}, &x.req.Request, b)
	if unread, ok := err.(*static.UnreadError); ok {
		return true, x.notRead(unread)
	}
	return true, err == nil && x.finish()
}

// notRead answers for a file that could be opened but not read to its end.
func (x *exchange) notRead(err error) (again bool) {
	if a := x.req.mount.app; a.complained.Due() {
		slog.Warn("static file could not be read", "app", a.name, "path", string(x.req.Path), "err", err)
	}
	return x.page(page.Page{Status: http.StatusServiceUnavailable, Message: "The file is being changed.", Retry: 1})
}

// A fileSink is the exchange as an answer that is a file.
type fileSink struct{ x *exchange }

func (s fileSink) Date() []byte { return s.x.req.date() }

func (s fileSink) AppendConnection(b []byte) []byte { return s.x.answer.appendConnection(b) }

func (s fileSink) SendReply(status, length int, p, p2 []byte) error {
	return s.x.answer.sendReply(status, length, p, p2)
}

func (s fileSink) Conn() *wire.Conn { return &s.x.client.Conn }

func (s fileSink) Show() {
	s.x.session.phase.On(phase.Answers)
	s.x.client.publish(s.x)
}
