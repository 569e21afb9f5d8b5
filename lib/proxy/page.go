package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"passenger/lib/http1"
	"passenger/lib/protocol"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
	"passenger/lib/spawnerror"
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
		return x.page(page{Status: 503, Message: "The server has no room for the request's body right now.", retry: 5})
	case errors.Is(err, wire.ErrTimeout):
		return x.fail(http.StatusRequestTimeout, "The request did not arrive in time.")
	}
	return false // the client is gone
}

// noApp answers a request for which there is no app.
func (x *exchange) noApp() bool {
	if x.req.Chunked || x.req.ContentLength > 0 {
		x.body.plan = sentBody
	}
	if x.client.proxy.index.Load().version == 0 {
		return x.page(page{Status: 503, Message: "No application is known here yet.", retry: 1})
	}
	return x.page(page{Status: 404, Message: "No application is configured for this address."})
}

// noProcess answers a request that got no process.
func (x *exchange) noProcess(err error) bool {
	switch {
	case errors.Is(err, balance.ErrQueueFull):
		return x.page(page{Status: x.req.mount.overflowStatus(), Message: "The application is busy and too many requests wait for it already.", retry: 1})
	case errors.Is(err, balance.ErrQueueTime):
		return x.page(page{Status: 504, Message: "The application was busy for too long.", retry: 1})
	case errors.Is(err, balance.ErrNoProcess):
		p := page{Status: 503, Message: "The application could not be started.", retry: 5, own: x.ownPage(x.req.mount.route.ErrorPage, "custom_error_page")}
		if x.req.mount.route.FriendlyErrors {
			p.Error, p.Next = x.req.mount.app.balance.SpawnError()
		}
		return x.page(p)
	case errors.Is(err, balance.ErrUpgraded):
		return x.page(page{Status: 503, Message: "The application has too many upgraded connections.", retry: 5})
	case errors.Is(err, balance.ErrPaused):
		return x.page(page{Status: 503, Message: "The application is down for maintenance and will be back soon.", retry: 10, own: x.ownPage(x.req.mount.route.MaintenancePage, "maintenance_page")})
	case errors.Is(err, balance.ErrRemoved):
		return x.page(page{Status: 503, Message: "The application was removed.", retry: 1})
	case errors.Is(err, errStopping):
		return x.page(page{Status: 503, Message: "The server is going away.", retry: 1})
	}
	// The client left the queue. If it only ended its sending side, this
	// tells it.
	x.answer.closing = true
	return x.fail(503, "The connection was closed while the request waited for the application.")
}

// fail answers an error of ours or of the process. What will be over in a while
// may be tried again after it.
func (x *exchange) fail(status int, message string) bool {
	p := page{Status: status, Message: message}
	if status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout {
		p.retry = 1
	}
	return x.page(p)
}

// A page is an answer of the proxy itself. It is also what is sent as JSON.
type page struct {
	Status  int                  `json:"status"`
	Message string               `json:"message"`
	ID      string               `json:"request_id"`
	Error   *protocol.SpawnError `json:"error,omitempty"`
	Next    string               `json:"next,omitempty"` // when the app is started again

	retry int         // seconds, for Retry-After; 0 for none
	own   files.Place // of the app's own page, for those who want HTML; zero for none
}

// page sends p and says whether the connection can go on.
func (x *exchange) page(p page) bool {
	if x.answer.answered {
		return false
	}
	p.ID = string(x.req.id[:x.req.idLen])
	kind, body := p.render(wantedForm(&x.req.Request))
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nCache-Control: no-store\r\n",
		p.Status, http.StatusText(p.Status), x.req.date(), kind, len(body))
	if p.retry > 0 {
		b = fmt.Appendf(b, "Retry-After: %d\r\n", p.retry)
	}
	return x.reply(p.Status, b, body)
}

// render makes the body. The app's own page is for those who want HTML.
func (p *page) render(f form) (kind string, body []byte) {
	switch f {
	case asJSON:
		b, err := json.Marshal(p)
		if err != nil {
			b = []byte(strconv.Quote(p.Message))
		}
		return "application/json", append(b, '\n')
	case asText:
		return "text/plain; charset=utf-8", p.text()
	}
	if own := p.readOwn(); own != nil {
		return "text/html; charset=utf-8", own
	}
	return "text/html; charset=utf-8", p.html()
}

// maxOwnPage bounds an app's page: it is read for each answer. A longer one is
// none.
const maxOwnPage = 1 << 20

// ownPage is the place of a page of the app that a setting names, whose path may
// be empty.
func (x *exchange) ownPage(path, key string) files.Place {
	return files.PlaceOf(x.req.mount.route, x.req.mount.home, path, key)
}

// readOwn returns the app's own page, nil if it has none or the details of an error are
// to be shown.
func (p *page) readOwn() []byte {
	if p.own.Path == "" || p.Error != nil {
		return nil
	}
	f, err := p.own.OpenFile(time.Now())
	if err != nil {
		return nil // ours does
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxOwnPage+1))
	if err != nil || len(b) > maxOwnPage {
		return nil
	}
	return b
}

func (p *page) text() []byte {
	b := fmt.Appendf(nil, "%d %s\n\n%s\nRequest ID: %s\n", p.Status, http.StatusText(p.Status), p.Message, p.ID)
	if e := p.Error; e != nil {
		b = fmt.Appendf(b, "\n%s\n%s\n%s\n\n%s", e.Summary, e.Advice, p.Next, spawnerror.Text(e))
	}
	return b
}

const pageHead = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>%[1]d %[2]s</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:48em;margin:10vh auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.4em}small,th{color:#666}pre{background:#f4f4f4;padding:1em;overflow:auto}td,th{text-align:left;padding-right:1em}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}pre{background:#222}small,th{color:#999}}</style>
</head><body>
<h1>%[1]d %[2]s</h1>
<p>%[3]s</p>
`

func (p *page) html() []byte {
	if p.Error != nil {
		b, err := spawnerror.Page{Error: p.Error, Status: p.Status, RequestID: p.ID, Next: p.Next}.HTML()
		if err == nil {
			return b
		}
		slog.Error("spawn error not shown", "app", p.Error.App, "err", err)
	}
	b := fmt.Appendf(nil, pageHead, p.Status, http.StatusText(p.Status), escape(p.Message))
	return fmt.Appendf(b, "<p><small>Request ID: %s</small></p>\n</body></html>\n", escape(p.ID))
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

func escape(s string) string { return escaper.Replace(s) }
