package app

import (
	"fmt"
	"strings"

	"passenger/lib/protocol"
)

// maxWarmUp bounds the requests that delay every start.
const maxWarmUp = 100

// checkDeploys is for how a new generation takes over.
func checkDeploys(c protocol.AppConfig) error {
	if c.HealthPath != "" {
		if err := checkTarget("health_check_path", c.HealthPath, c.BaseURI); err != nil {
			return err
		}
	}
	for _, path := range c.WarmUp {
		if err := checkTarget("warm_up_requests", path, c.BaseURI); err != nil {
			return err
		}
	}
	if len(c.WarmUp) > maxWarmUp {
		return fmt.Errorf("warm_up_requests has %d paths; at most %d make sense", len(c.WarmUp), maxWarmUp)
	}
	if w := c.WatchErrors; w != nil && !(*w >= 0 && *w < 1) {
		return fmt.Errorf("watch_errors is %v; it is a share, 0 or more and under 1, such as 0.05", *w)
	}
	if t := c.TrialTime; t != nil && !(*t >= 0 && *t <= maxSeconds) {
		return fmt.Errorf("trial_time is %v seconds; it must be 0 to %d", *t, maxSeconds)
	}
	if n := c.RestartSurge; n != nil && (*n < 0 || *n > maxInstances) {
		return fmt.Errorf("restart_surge is %d; it must be 0 to %d", *n, maxInstances)
	}
	if strings.ContainsRune(c.RestartDir, 0) {
		return fmt.Errorf("a setting has a NUL in it")
	}
	return nil
}

// checkTarget checks what one of our own requests is to ask for: a path below
// the app's base URI, as a client would send it.
func checkTarget(key, target, base string) error {
	for _, r := range target {
		if r <= ' ' || r >= 0x7f || r == '#' {
			return fmt.Errorf("%s: %q has %q in it, which must be percent-encoded", key, target, r)
		}
	}
	path, _, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(path, "/") || base != "/" && path != base && !strings.HasPrefix(path, base+"/") {
		return fmt.Errorf("%s: %q is not a path of the app; it is to begin with %q", key, target, base)
	}
	return nil
}
