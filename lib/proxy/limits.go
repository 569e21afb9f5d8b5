package proxy

import (
	"log/slog"
	"net/http"
	"time"

	"passenger/lib/proxy/limits"
	"passenger/lib/proxy/page"
)

// limited answers a request that is over a limit of its app. done says that it did.
func (x *exchange) limited() (done, again bool) {
	l, now := x.req.mount.limits, int64(x.req.began.Sub(x.client.proxy.clock.Start))
	from := x.req.origin()
	place, over, wait := l.Enter(from, now)
	if over == limits.None {
		x.req.place = place
		return false, false
	}
	if l.Complained.Due() {
		slog.Warn("request refused: over a limit", "app", x.req.mount.app.name, "limit", limits.Names[over], "client", from)
	}
	x.body.leaveBody()
	seconds := int((wait + time.Second - 1) / time.Second)
	return true, x.page(page.Page{Status: http.StatusTooManyRequests, Message: "There were too many requests.", Retry: max(seconds, 1)})
}
