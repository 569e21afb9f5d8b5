package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/page"
	"passenger/lib/proxy/wire"
)

// refuse answers a request that could not be read, and ends the connection.
func (x *exchange) refuse(err error) bool {
	x.answer.closing, x.garbled = true, true
	if x.req.idLen == 0 {
		x.req.began, x.req.tick = time.Now(), x.client.Clock.Now.Load()
		x.req.makeID()
	}
	var bad *http1.Error
	switch {
	case errors.As(err, &bad):
		return x.fail(bad.Status, "The request was refused: "+bad.Reason+".")
	case errors.Is(err, errNoRoom):
		return x.page(page.Page{Status: 503, Message: "The server has no room for the request's body right now.", Retry: 5})
	case errors.Is(err, wire.ErrTimeout):
		return x.fail(http.StatusRequestTimeout, "The request did not arrive in time.")
	}
	return false // the client is gone
}

// noApp answers a request for which there is no app.
func (x *exchange) noApp() bool {
	x.body.leaveBody()
	if x.client.proxy.index.Load().version == 0 {
		return x.page(page.Page{Status: 503, Message: "No application is known here yet.", Retry: 1})
	}
	return x.page(page.Page{Status: 404, Message: "No application is configured for this address."})
}

// noProcess answers a request that got no process.
func (x *exchange) noProcess(err error) bool {
	switch {
	case errors.Is(err, balance.ErrQueueFull):
		return x.page(page.Page{Status: x.req.mount.overflowStatus(), Message: "The application is busy and too many requests wait for it already.", Retry: 1})
	case errors.Is(err, balance.ErrQueueTime):
		return x.page(page.Page{Status: 504, Message: "The application was busy for too long.", Retry: 1})
	case errors.Is(err, balance.ErrNoProcess):
		p := page.Page{Status: 503, Message: "The application could not be started.", Retry: 5, Own: x.req.mount.ownPage(x.req.mount.route.ErrorPage, "custom_error_page")}
		if x.req.mount.route.FriendlyErrors {
			p.Error, p.Next = x.req.mount.app.balance.SpawnError()
		}
		return x.page(p)
	case errors.Is(err, balance.ErrUpgraded):
		return x.page(page.Page{Status: 503, Message: "The application has too many upgraded connections.", Retry: 5})
	case errors.Is(err, balance.ErrPaused):
		return x.page(page.Page{Status: 503, Message: "The application is down for maintenance and will be back soon.", Retry: 10, Own: x.req.mount.ownPage(x.req.mount.route.MaintenancePage, "maintenance_page")})
	case errors.Is(err, balance.ErrRemoved):
		return x.page(page.Page{Status: 503, Message: "The application was removed.", Retry: 1})
	case errors.Is(err, errStopping):
		return x.page(page.Page{Status: 503, Message: "The server is going away.", Retry: 1})
	}
	// The client left the queue. If it only ended its sending side, this
	// tells it.
	x.answer.closing = true
	return x.fail(503, "The connection was closed while the request waited for the application.")
}

// fail answers an error of ours or of the process. What will be over in a while
// may be tried again after it.
func (x *exchange) fail(status int, message string) bool {
	p := page.Page{Status: status, Message: message}
	if status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout {
		p.Retry = 1
	}
	return x.page(p)
}

// page sends p and says whether the connection can go on.
func (x *exchange) page(p page.Page) bool {
	if x.answer.answered {
		return false
	}
	p.ID = string(x.req.id[:x.req.idLen])
	kind, body := p.Render(page.Wanted(&x.req.Request))
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nCache-Control: no-store\r\n",
		p.Status, http.StatusText(p.Status), x.req.date(), kind, len(body))
	if p.Retry > 0 {
		b = fmt.Appendf(b, "Retry-After: %d\r\n", p.Retry)
	}
	return x.reply(p.Status, b, body)
}

// ownPage is the place of a page of the app that a setting names, whose path may
// be empty.
func (m *mount) ownPage(path, key string) files.Place {
	return files.PlaceOf(m.route, m.home, path, key)
}
