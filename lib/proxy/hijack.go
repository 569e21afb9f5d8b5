package proxy

// An app may take its connection over, in Ruby's words hijack it. Its adapter
// says so before: it sends the interim response "199 Hijacked". From then on the
// connection is the app's. What comes is the app's own answer, and no request
// follows it. The process has its slot back as soon as it is free to answer
// again, which with one thread may be long after.

// takeoverStatus and takeoverReason are the interim response. One that differs
// is some other server's, and is passed on.
const (
	takeoverStatus = 199
	takeoverReason = "Hijacked"
)

// partialField is the field of a head whose body the app writes itself.
const partialField = "x-passenger-hijack"

// takeOver notes that the app takes the connection over.
func (x *exchange) takeOver() {
	if x.takeover == nil {
		x.phase.Store(upgraded)
		x.takeover = x.mount.app.balance.TakeOver(x.process, x, x.upgrade, &x.client.proxy.dialer, x.mount.readTimeout)
	}
}

func (x *exchange) takesOver() bool {
	r := &x.resp
	return r.Status == takeoverStatus && string(r.Reason) == takeoverReason && r.Count() == 0
}
