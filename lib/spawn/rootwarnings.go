package spawn

import (
	"log/slog"
	"sync"

	"passenger/lib/account"
	"passenger/lib/security"
	"passenger/lib/spawn/plan"
)

// rootWarnings are those of apps that run as root though another user can change
// what they run.
type rootWarnings struct {
	mu    sync.Mutex      // guards given
	given map[string]bool // by app; nil until the first
}

// warn gives the warning that the plan deserves, once for each app.
func (w *rootWarnings) warn(p *plan.Plan) {
	if p.User.UID != 0 || p.Owner == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.given[p.Config.Name] {
		return
	}
	if w.given == nil {
		w.given = map[string]bool{}
	}
	w.given[p.Config.Name] = true
	slog.Warn("app runs as root, and another user owns it: that user can become root by changing its files", security.RunsAsRoot.Attr(), "app", p.Config.Name, "user", p.User.Name, "owner", account.NameOf(p.Owner),
		"hint", "\"passenger start --user-switching\" runs the app as its owner, and pool and proxy as the user of --run-as; passenger-spawn(1), USERS")
}
