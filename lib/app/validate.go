package app

import (
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"passenger/lib/protocol"
	"passenger/lib/spelling"
)

// maxName is the longest name of an app.
const maxName = 40

// The largest values of settings. A larger one is a slip, not a wish.
const (
	maxSeconds   = 86400 // a day
	maxInstances = 10_000
	maxCount     = 1_000_000
)

// Types are the types of apps that can be run.
var Types = []string{protocol.TypeRack, protocol.TypeWSGI, protocol.TypeASGI, protocol.TypeNode, protocol.TypeGeneric}

// aliases are other names of types, as Passenger knows them.
var aliases = map[string]string{"ruby": protocol.TypeRack, "python": protocol.TypeWSGI, "nodejs": protocol.TypeNode}

// WithDefaults fills in everything that has a default, but the type and the
// startup file: those are for Detect to find. The result is not validated.
func WithDefaults(c protocol.AppConfig) protocol.AppConfig {
	if c.Name == "" {
		c.Name = NameOf(c.AppRoot)
	}
	if t, ok := aliases[c.Type]; ok {
		c.Type = t
	}
	if c.StartCommand != "" && c.Type == "" {
		c.Type = protocol.TypeGeneric
	}
	setDefault(&c.Environment, "production")
	setDefault(&c.StartTimeout, 90)
	setDefault(&c.StopGrace, 30)
	setDefault(&c.DrainTimeout, 30)
	setDefault(&c.IdleTime, 300)
	setDefault(&c.QueueTime, 60)
	setDefault(&c.ReadTimeout, 600)
	if c.MinInstances == nil {
		c.MinInstances = new(int)
		*c.MinInstances = 1
	}
	if c.PreloaderIdleTime == nil {
		c.PreloaderIdleTime = new(float64)
		*c.PreloaderIdleTime = 300
	}
	setDefault(&c.Threads, 1)
	c.Processes = withSideDefaults(c)
	c.StaticDir = staticDir(c)
	c.ErrorPage, c.MaintenancePage = inRoot(c, c.ErrorPage), inRoot(c, c.MaintenancePage)
	setDefault(&c.HealthTimeout, 10)
	setDefault(&c.RestartDir, "tmp")
	if c.FriendlyErrors == nil {
		c.FriendlyErrors = new(bool)
		*c.FriendlyErrors = c.Environment == "development"
	}
	c.CanonicalHost = strings.TrimSuffix(strings.ToLower(c.CanonicalHost), ".")
	c.BaseURI = "/" + strings.Trim(c.BaseURI, "/")
	for i, name := range c.ServerNames {
		if i == 0 {
			c.ServerNames = append([]string(nil), c.ServerNames...)
		}
		c.ServerNames[i] = strings.TrimSuffix(strings.ToLower(name), ".")
	}
	return c
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// NameOf makes a name for the app in dir: the last element of the path, with
// what a name may not have replaced by "-". A release directory of Capistrano
// ("current", or a time stamp below "releases") is named after its project.
func NameOf(dir string) string {
	base := filepath.Base(dir)
	if base == "current" {
		base = filepath.Base(filepath.Dir(dir))
	} else if filepath.Base(filepath.Dir(dir)) == "releases" {
		base = filepath.Base(filepath.Dir(filepath.Dir(dir)))
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789._-", r) {
			return r
		}
		return '-'
	}, strings.ToLower(base))
	name = strings.Trim(name, "._-")
	if len(name) > maxName {
		name = strings.TrimRight(name[:maxName], "._-")
	}
	if name == "" {
		return "app"
	}
	return name
}

// Validate says what is wrong with settings that WithDefaults completed. It
// looks at the app's directory, but not into it.
func Validate(c protocol.AppConfig) error {
	var wrong []error
	for _, check := range []func(protocol.AppConfig) error{
		checkName, checkRoot, checkType, checkNumbers, checkTimes, checkRoutes, checkServing, checkEnv, checkPrivileges, checkSpawning,
		checkDeploys, checkProcesses,
	} {
		wrong = append(wrong, check(c))
	}
	if err := together(wrong); err != nil {
		return fmt.Errorf("app %q: %w", c.Name, err)
	}
	return nil
}

func checkName(c protocol.AppConfig) error { return CheckName(c.Name) }

// CheckName says why an app cannot have the name.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" ||
		strings.ContainsRune("._-", rune(name[0])) {
		return fmt.Errorf("a name has 1 to %d characters of a-z, 0-9, '.', '_' and '-', the first a letter or digit", maxName)
	}
	return nil
}

func checkRoot(c protocol.AppConfig) error {
	if !filepath.IsAbs(c.AppRoot) {
		return fmt.Errorf("app_root %q is not an absolute path", c.AppRoot)
	}
	fi, err := os.Stat(c.AppRoot)
	if err != nil {
		return fmt.Errorf("app_root %q: %w", c.AppRoot, unwrapPath(err))
	}
	if !fi.IsDir() {
		return fmt.Errorf("app_root %q is not a directory", c.AppRoot)
	}
	return nil
}

func checkType(c protocol.AppConfig) error {
	if c.Type != "" {
		if !slices.Contains(Types, c.Type) {
			return fmt.Errorf("unknown app_type %q%s (known: %s)", c.Type, spelling.DidYouMean(c.Type, Types), strings.Join(Types, ", "))
		}
	}
	if c.Type == protocol.TypeGeneric && c.StartCommand == "" {
		return fmt.Errorf("app_type %q needs app_start_command", c.Type)
	}
	if c.StartCommand != "" && c.Type != protocol.TypeGeneric {
		return fmt.Errorf("app_start_command goes with app_type %q, not %q", protocol.TypeGeneric, c.Type)
	}
	if c.StartupFile != "" && !filepath.IsLocal(strings.Split(c.StartupFile, ":")[0]) {
		return fmt.Errorf("startup_file %q is not below the app root", c.StartupFile)
	}
	return nil
}

func checkNumbers(c protocol.AppConfig) error {
	concurrency := 0
	if c.MaxConcurrency != nil {
		concurrency = *c.MaxConcurrency
	}
	upgraded := 0
	if c.MaxUpgraded != nil {
		upgraded = *c.MaxUpgraded
	}
	queue := 0
	if c.QueueSize != nil {
		queue = *c.QueueSize
	}
	wrong := []error{inRange([]limited{
		{"max_upgraded_per_process", upgraded, 0, maxCount},
		{"min_instances", *c.MinInstances, 0, maxInstances}, {"max_instances", c.MaxInstances, 0, maxInstances},
		{"spare_instances", c.SpareInstances, 0, maxInstances},
		{"max_requests", c.MaxRequests, 0, math.MaxInt32}, {"memory_limit", c.MemoryLimit, 0, math.MaxInt32},
		{"max_request_queue_size", queue, 0, maxCount}, {"force_max_concurrent_requests_per_process", concurrency, 0, maxCount},
	})}
	if c.MaxInstances > 0 && *c.MinInstances > c.MaxInstances {
		wrong = append(wrong, fmt.Errorf("min_instances is %d and max_instances %d; the minimum is over the maximum", *c.MinInstances, c.MaxInstances))
	}
	return together(wrong)
}

func checkTimes(c protocol.AppConfig) error {
	var wrong []error
	for _, t := range []struct {
		key   string
		value float64
	}{
		{"start_timeout", c.StartTimeout}, {"stop_grace", c.StopGrace}, {"drain_timeout", c.DrainTimeout},
		{"pool_idle_time", c.IdleTime}, {"max_request_queue_time", c.QueueTime}, {"read_timeout", c.ReadTimeout},
		{"health_check_timeout", c.HealthTimeout},
	} {
		if !(t.value > 0 && t.value <= maxSeconds) {
			wrong = append(wrong, fmt.Errorf("%s is %v seconds; it must be over 0 and at most %d", t.key, t.value, maxSeconds))
		}
	}
	if t := c.MaxRequestTime; !(t >= 0 && t <= maxSeconds) {
		wrong = append(wrong, fmt.Errorf("max_request_time is %v seconds; it must be 0 to %d", t, maxSeconds))
	}
	return together(wrong)
}

// checkServerName refuses what can be the host of no request.
func checkServerName(name string) error {
	host := strings.TrimPrefix(name, "*.")
	switch {
	case host == "" || len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") != "":
		return fmt.Errorf("%q is not a host name; a wildcard has the form \"*.example.com\"", name)
	case host[0] == '[' && host[len(host)-1] == ']':
		return nil
	case strings.Count(host, ":") > 1 && host[0] != '[':
		return fmt.Errorf("%q is not a host name; write an IPv6 address as \"[%s]\"", name, host)
	case strings.Contains(host, ":"):
		return fmt.Errorf("%q has a port; an app answers on all of the proxy's", name)
	}
	return nil
}

func checkRoutes(c protocol.AppConfig) error {
	for _, name := range c.ServerNames {
		if err := checkServerName(name); err != nil {
			return fmt.Errorf("server_names: %w", err)
		}
	}
	if i := strings.IndexFunc(c.BaseURI, func(r rune) bool { return r <= ' ' || r >= 0x7f }); i >= 0 && c.BaseURI[i] != ' ' {
		r, _ := utf8.DecodeRuneInString(c.BaseURI[i:])
		return fmt.Errorf("base_uri %q has %q in it; no request has, as clients encode it", c.BaseURI, r)
	}
	if path.Clean(c.BaseURI) != c.BaseURI || strings.ContainsAny(c.BaseURI, "?#%\x00 ") {
		return fmt.Errorf("base_uri %q is not a plain path", c.BaseURI)
	}
	return nil
}
