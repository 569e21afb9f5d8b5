package app

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"passenger/lib/protocol"
	"passenger/lib/spelling"
)

// leastHighWater is what a proxy keeps of an answer in memory.
const leastHighWater = 128 << 10

// checkServing checks the settings that only proxies need.
func checkServing(c protocol.AppConfig) error {
	if s := c.OverflowStatus; s != 0 && (s < 400 || s > 599) {
		return fmt.Errorf("request_queue_overflow_status_code is %d; it must be 400 to 599", s)
	}
	if c.MaxBodySize < 0 {
		return fmt.Errorf("max_request_body_size is %d bytes; it must be 0, for no limit, or more", c.MaxBodySize)
	}
	if n := c.ResponseHighWater; n != 0 && n < leastHighWater {
		return fmt.Errorf("response_buffer_high_watermark is %d bytes; it must be %d, which is what is kept in memory, or more", n, leastHighWater)
	}
	for key, name := range map[string]string{"sticky_sessions_cookie_name": c.StickyCookie, "vary_turbocache_by_cookie": c.CacheCookie} {
		if strings.ContainsFunc(name, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
		}) {
			return fmt.Errorf("%s: %q is not a cookie name", key, name)
		}
	}
	if strings.ContainsFunc(c.StickyAttributes, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return fmt.Errorf("sticky_sessions_cookie_attributes: %q has a character that no header may have", c.StickyAttributes)
	}
	if v := c.AddedHeaders; v != "" && !slices.Contains(addedHeaders, v) {
		return fmt.Errorf("unknown added_headers %q%s (known: %s)", v, spelling.DidYouMean(v, addedHeaders), strings.Join(addedHeaders, ", "))
	}
	return together([]error{checkSendfile(c), checkStatic(c), checkLimits(c), checkCanonical(c)})
}

// The bounds of a rate, in requests a second: from one in a quarter of an hour to more
// than a proxy can take.
const (
	leastRate = 0.001
	mostRate  = 1_000_000
)

// checkLimits checks how much clients may ask for.
func checkLimits(c protocol.AppConfig) error {
	wrong := []error{inRange([]limited{
		{"request_burst", c.RequestBurst, 0, maxCount}, {"request_concurrency", c.RequestConcurrency, 0, maxCount},
		{"client_request_burst", c.ClientRequestBurst, 0, maxCount}, {"client_request_concurrency", c.ClientRequestConcurrency, 0, maxCount},
	})}
	for _, r := range []struct {
		key   string
		rate  float64
		burst int
	}{{"request", c.RequestRate, c.RequestBurst}, {"client_request", c.ClientRequestRate, c.ClientRequestBurst}} {
		if !(r.rate == 0 || r.rate >= leastRate && r.rate <= mostRate) {
			wrong = append(wrong, fmt.Errorf("%s_rate is %v requests a second; it must be 0, for no limit, or %v to %d", r.key, r.rate, leastRate, mostRate))
		}
		if r.rate == 0 && r.burst != 0 {
			wrong = append(wrong, fmt.Errorf("%s_burst is %d without %s_rate, which it belongs to", r.key, r.burst, r.key))
		}
	}
	return together(wrong)
}

// checkCanonical checks that requests for the canonical host come to this app: else they
// would be redirected for ever.
func checkCanonical(c protocol.AppConfig) error {
	if c.CanonicalHost == "" {
		return nil
	}
	host, port := splitPort(c.CanonicalHost)
	if n, err := strconv.ParseUint(port, 10, 16); strings.HasPrefix(host, "*") || port != "" && (err != nil || n == 0) {
		return fmt.Errorf("canonical_host: %q is not a host name, maybe with a port", c.CanonicalHost)
	}
	if err := checkServerName(host); err != nil {
		return fmt.Errorf("canonical_host: %w", err)
	}
	if len(c.ServerNames) > 0 && !slices.ContainsFunc(c.ServerNames, func(name string) bool {
		below, wild := strings.CutPrefix(name, "*")
		return name == host || wild && strings.HasSuffix(host, below)
	}) {
		return fmt.Errorf("canonical_host %q is none of the server_names, so that requests for it do not come to the app", host)
	}
	return nil
}

// splitPort splits a host and its port, which may be missing. An address of IPv6 has
// brackets.
func splitPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i < strings.LastIndexByte(s, ']') || s[0] != '[' && strings.Count(s, ":") > 1 {
		return s, ""
	}
	return s[:i], s[i+1:]
}

var addedHeaders = []string{protocol.HeadersFew, protocol.HeadersAll}

// checkSendfile checks where an app's answers may name files.
func checkSendfile(c protocol.AppConfig) error {
	for _, dir := range c.SendfileDirs {
		if !validPath(dir) {
			return fmt.Errorf("sendfile_dirs: %q is not a directory", dir)
		}
	}
	for prefix, dir := range c.AccelLocations {
		if !beginsPaths(prefix) || strings.ContainsAny(prefix, ",=") {
			return fmt.Errorf("accel_locations: %q is not the beginning of a path such as \"/protected/\", with a slash at each end", prefix)
		}
		if !validPath(dir) {
			return fmt.Errorf("accel_locations: %q for %q is not a directory", dir, prefix)
		}
	}
	return nil
}

// checkStatic checks which files proxies serve themselves, and how.
func checkStatic(c protocol.AppConfig) error {
	for prefix, dir := range c.StaticMounts {
		if !beginsRequests(prefix) {
			return fmt.Errorf("static_mounts: %q is not the beginning of a path such as \"/static/\", with a slash at each end, as clients encode it", prefix)
		}
		if !validPath(dir) {
			return fmt.Errorf("static_mounts: %q for %q is not a directory", dir, prefix)
		}
	}
	for prefix, value := range c.StaticCacheControl {
		if !beginsRequests(prefix) {
			return fmt.Errorf("static_cache_control: %q is not the beginning of a path such as \"/static/\", with a slash at each end, as clients encode it", prefix)
		}
		if strings.TrimSpace(value) == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
			return fmt.Errorf("static_cache_control: %q for %q is no value of Cache-Control, such as \"max-age=3600\"", value, prefix)
		}
	}
	return nil
}

// beginsPaths says that paths may begin with a prefix, which ends with one of their
// elements.
func beginsPaths(prefix string) bool {
	return strings.HasPrefix(prefix, "/") && strings.HasSuffix(prefix, "/") && !strings.ContainsAny(prefix, "?%") && !slices.Contains(strings.Split(prefix, "/"), "..")
}

// beginsRequests says that the paths of requests may begin with a prefix.
func beginsRequests(prefix string) bool {
	return beginsPaths(prefix) && !strings.Contains(prefix, "//") && !strings.ContainsFunc(prefix, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' })
}

// validPath says that a path could be in the file system and in a header.
func validPath(path string) bool {
	return path != "" && !strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// noFiles is the value of static_files_dir for an app that serves all itself.
const noFiles = "none"

func staticDir(c protocol.AppConfig) string {
	switch {
	case c.StaticDir == noFiles:
		return noFiles
	case c.StaticDir == "":
		return inRoot(c, "public")
	}
	return inRoot(c, c.StaticDir)
}

// inRoot makes a path absolute that is relative to the app's root, as long as
// that is known.
func inRoot(c protocol.AppConfig, path string) string {
	if path == "" || c.AppRoot == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.AppRoot, path)
}
