package migrate

import "strings"

// address is a listening address as the proxy takes it: of one as servers have it,
// such as *:8080, tcp://0.0.0.0:9292 or unix:/run/shop.sock.
func address(s string) string {
	s, _, _ = strings.Cut(s, "?")
	if path, ok := strings.CutPrefix(s, "unix://"); ok {
		return "unix:" + path
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return "unix:" + path
	}
	for _, scheme := range []string{"tcp://", "http://", "ssl://", "https://"} {
		rest, ok := strings.CutPrefix(s, scheme)
		if ok && (scheme == "ssl://" || scheme == "https://") {
			return "tls:" + strings.TrimPrefix(rest, "0.0.0.0")
		}
		s = rest
	}
	switch {
	case strings.HasPrefix(s, "/"):
		return "unix:" + s
	case s != "" && strings.Trim(s, "0123456789") == "":
		return ":" + s
	}
	return strings.TrimPrefix(strings.TrimPrefix(s, "*"), "0.0.0.0")
}
