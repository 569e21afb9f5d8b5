package proxy

import (
	"errors"

	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/page"
)

// route finds the app that the request is for. done says that it was answered
// instead.
func (x *exchange) route() (done, again bool) {
	if x.client.headers != nil {
		x.session.beginProbe()
		m, err := x.session.choose()
		if err != nil {
			return true, x.notFronted(err)
		}
		x.req.mount = m
	}
	if x.req.mount == nil {
		x.req.mount = x.client.proxy.index.Load().hosts.Find(x.req.Host, x.req.Path)
	}
	if x.req.mount == nil {
		return true, x.noApp()
	}
	return false, false
}

// choose finds the app that a web server in front asks for, nil if it asks for
// none.
func (s *session) choose() (*mount, error) {
	var m *mount
	app, err := s.req.client.proxy.registrar.Find(fronted.Request{Headers: s.req.client.headers, Head: &s.req.Request, Began: s.req.began}, fronted.Table{
		Known: func(app string) bool {
			m = s.req.client.proxy.index.Load().byName[app]
			return m != nil
		},
		Left: s.left,
	})
	if err != nil || app == "" {
		return nil, err
	}
	return m, fronted.CheckBase(m.base, s.req.Path)
}

// left says why a request that has no app yet waits no longer, nil if it does.
func (s *session) left() error {
	clock := s.req.client.proxy.clock
	switch {
	case s.waiter.Probe.Look(clock.Now.Load()):
		return balance.ErrGone
	case clock.Ending.Load():
		return errStopping
	}
	return nil
}

// notFronted answers a request whose app could not be found by secure headers.
func (x *exchange) notFronted(err error) bool {
	x.body.leaveBody()
	switch {
	case errors.Is(err, fronted.ErrUnknownApp):
		return x.fail(403, "The web server asks for an application that is not known here, or for settings of one, and may add none.")
	case errors.Is(err, fronted.ErrPoolDown):
		return x.page(page.Page{Status: 503, Message: "The application is not known yet, and the pool, which would start it, is down.", Retry: 1})
	case errors.Is(err, fronted.ErrBadApp):
		return x.fail(500, "The web server's settings for this application were refused; the proxy's log says why.")
	case errors.Is(err, balance.ErrQueueFull):
		return x.page(page.Page{Status: 503, Message: "Too many requests wait for applications to become known.", Retry: 1})
	case errors.Is(err, balance.ErrQueueTime):
		return x.fail(504, "The application was not known in time.")
	case errors.Is(err, errStopping):
		return x.page(page.Page{Status: 503, Message: "The server is going away.", Retry: 1})
	}
	return x.refuse(err)
}
