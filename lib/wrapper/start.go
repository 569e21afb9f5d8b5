package wrapper

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"passenger/lib/app"
	"passenger/lib/cli"
)

const (
	usualPort     = "3000"
	usualPoolSize = 6
	loopback      = "127.0.0.1"
	development   = "development"
)

// start's flags are those that most people need. What the daemons have more is
// handed through.
type start struct {
	Apps []string `arg:"" optional:"" name:"appdir" help:"Directories of apps to serve. Default: the working directory. With several, server_names or base_uri in the Passengerfile.json of each tell them apart."`

	place
	Address       string   `short:"a" placeholder:"ADDRESS" help:"Listen on this address. Default: 127.0.0.1."`
	TLS           bool     `name:"tls" help:"Speak HTTPS there, and not HTTP."`
	TLSPort       string   `name:"tls-port" placeholder:"PORT" help:"Speak HTTPS on this port too, beside HTTP on --port."`
	Certificate   []string `sep:"none" placeholder:"FILE" help:"A certificate with its chain, PEM. May be repeated, each with its --key."`
	Key           []string `sep:"none" placeholder:"FILE" help:"The key of the certificate in the same place."`
	ACMEDomain    []string `name:"acme-domain" placeholder:"NAME" help:"Get a certificate for this name by ACME, and renew it. May be repeated."`
	ACMEAgreeTOS  bool     `name:"acme-agree-tos" help:"Agree to the terms of service of who issues them."`
	Environment   string   `short:"e" placeholder:"NAME" help:"Value of RAILS_ENV and the like. Default: that of Passengerfile.json, else development."`
	MinInstances  *int     `placeholder:"N" help:"Keep at least N processes. Default: 1."`
	MaxPoolSize   *int     `placeholder:"N" help:"Start at most N processes. Default: 6."`
	Watch         bool     `negatable:"" help:"Restart apps when their files change, and write a short line for each request. Default: in development at a terminal."`
	AccessLog     string   `placeholder:"FORMAT" help:"Write a line for each request, as passenger-proxy does: common, combined, vhost, json, short or none."`
	TrustedProxy  []string `placeholder:"NETWORK" help:"Believe this network or address about its clients, or \"none\". May be repeated. Default: loopback, unless users are switched."`
	StatusListen  string   `placeholder:"ADDR" help:"Serve metrics and a dashboard there: HOST:PORT or unix:PATH."`
	LogFormat     string   `enum:"text,json" default:"text" env:"PASSENGER_LOG_FORMAT" placeholder:"text|json" help:"Write the log as text for people, or as JSON lines on standard output (${default})."`
	UserSwitching bool     `help:"Run each app as the owner of its startup file, and pool and proxy as another user. Needs root."`
	RunAs         string   `placeholder:"USER" help:"With --user-switching: that other user. Default: passenger."`
	AppsDir       string   `placeholder:"DIR" help:"Serve the apps that the *.json files in this directory describe, too."`
	Proxy         []string `sep:"none" placeholder:"FLAG" help:"A flag for passenger-proxy serve, as --proxy=drain-timeout=5s. May be repeated."`
	Pool          []string `sep:"none" placeholder:"FLAG" help:"A flag for passenger-pool serve. May be repeated."`
	Spawn         []string `sep:"none" placeholder:"FLAG" help:"A flag for passenger-spawn serve. May be repeated."`
}

func (s *start) Run(parsed *kong.Context) error {
	for _, check := range []func() error{func() error { return noEmpty(parsed) }, s.checkPlace, s.checkTLS, s.checkApps, s.checkNumbers, s.checkPassed} {
		if err := check(); err != nil {
			return err
		}
	}
	listen, url := s.listen()
	if !given(parsed, "watch") {
		s.Watch = isatty.IsTerminal(os.Stderr.Fd()) && s.develops()
	}
	if s.Watch && s.AccessLog == "" && s.LogFormat != "json" && os.Getenv("PASSENGER_PROXY_ACCESS_LOG") == "" {
		s.AccessLog = "short"
	}
	s.place.print("start")
	users, asJSON, watch := "", "", ""
	if s.Watch {
		watch = "yes"
	}
	if s.UserSwitching {
		users = "yes"
	}
	if s.LogFormat == "json" {
		asJSON = "yes"
	}
	fmt.Print(
		cli.Assign("url", url), cli.AssignWords("hold_flags", each("listen", listen)),
		cli.Assign("user_switching", users), cli.Assign("run_as", s.RunAs),
		cli.AssignWords("apps", s.Apps), cli.Assign("apps_dir", s.AppsDir),
		cli.AssignWords("describe", s.describe()),
		cli.Assign("environment", s.Environment), cli.Assign("usual_environment", usualEnvironment()),
		cli.Assign("status_listen", s.StatusListen), cli.Assign("log_json", asJSON), cli.Assign("watch", watch),
		cli.AssignWords("proxy_flags", s.proxyFlags(listen)),
		cli.AssignWords("pool_flags", s.poolFlags()),
		cli.AssignWords("spawn_flags", append(s.log(), passed(s.Spawn)...)),
	)
	return nil
}

func given(parsed *kong.Context, flag string) bool {
	return slices.ContainsFunc(parsed.Path, func(at *kong.Path) bool { return at.Flag != nil && at.Flag.Name == flag })
}

// develops says that all apps are in development, as far as we may look.
func (s *start) develops() bool {
	if s.UserSwitching || s.AppsDir != "" {
		return false
	}
	for _, dir := range s.Apps {
		c, err := app.Load(dir)
		if err != nil || cmp.Or(s.Environment, c.Environment, usualEnvironment()) != development {
			return false
		}
	}
	return true
}

func (s *start) checkPlace() error {
	if s.Socket != "" && s.Port+s.Address != "" {
		return wrong("--socket excludes --port and --address")
	}
	if err := s.check(); err != nil {
		return err
	}
	return place{Port: s.TLSPort}.check()
}

func (s *start) checkTLS() error {
	switch {
	case s.TLS && s.TLSPort != "":
		return wrong("--tls and --tls-port exclude one another: one turns --port to HTTPS, the other adds a port")
	case s.TLSPort != "" && s.Socket != "":
		return wrong("--socket excludes --tls-port")
	case s.TLSPort != "" && s.TLSPort == s.port():
		return wrong("--tls-port is %s, where HTTP is served; use --tls to serve HTTPS there", s.TLSPort)
	case len(s.Certificate) != len(s.Key):
		return wrong("each --certificate needs its --key; there are %d and %d", len(s.Certificate), len(s.Key))
	case !s.secure() && (len(s.Certificate) > 0 || len(s.ACMEDomain) > 0):
		return wrong("a certificate is for HTTPS; add --tls or --tls-port")
	}
	return nil
}

func (s *start) secure() bool { return s.TLS || s.TLSPort != "" }

// checkApps looks at the directories, and makes their paths absolute.
func (s *start) checkApps() error {
	if s.Watch && s.UserSwitching {
		return wrong("--watch excludes --user-switching: it is for who develops an app")
	}
	if s.RunAs != "" && !s.UserSwitching {
		return wrong("--run-as goes with --user-switching")
	}
	if s.AppsDir != "" && s.UserSwitching && len(s.Apps) > 0 {
		return wrong("with --user-switching --apps-dir excludes an app directory: only the files in it say what runs")
	}
	if s.AppsDir != "" && len(s.Apps) == 0 && (s.Environment != "" || s.MinInstances != nil) {
		return wrong("--apps-dir excludes --environment and --min-instances: the files in it say that")
	}
	if len(s.Apps) == 0 && s.AppsDir == "" {
		s.Apps = []string{"."}
	}
	for i, dir := range s.Apps {
		if dir == "" {
			return wrong("the app directory is an empty word")
		}
		path, err := directory(dir, "\"%s\"")
		if err != nil {
			return err
		}
		s.Apps[i] = path
	}
	if s.AppsDir == "" {
		return nil
	}
	path, err := directory(s.AppsDir, "the apps in \"%s\"")
	s.AppsDir = path
	return err
}

// directory returns the absolute path of one that is to be served, named in an
// error by what.
func directory(dir, what string) (string, error) {
	fi, err := os.Stat(dir)
	switch what := fmt.Sprintf(what, dir); {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("cannot serve %s: no such directory", what)
	case err != nil:
		return "", fmt.Errorf("cannot serve %s: %w", what, err)
	case !fi.IsDir():
		return "", cli.Hint(fmt.Errorf("cannot serve %s: it is a file", what), "name the directory that the app is in")
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cannot serve %q: %w", dir, err)
	}
	return path, nil
}

func (s *start) checkNumbers() error {
	most := usualPoolSize
	if s.MaxPoolSize != nil {
		most = *s.MaxPoolSize
		if most < 1 || most > 10000 {
			return wrong("--max-pool-size is a number from 1 to 10000, not %d", most)
		}
	}
	if s.MinInstances == nil {
		return nil
	}
	least := *s.MinInstances
	if least < 0 || least > 10000 {
		return wrong("--min-instances is a number from 0 to 10000, not %d", least)
	}
	if least > most {
		return wrong("--min-instances is %d and --max-pool-size %d; the minimum is over the maximum", least, most)
	}
	return nil
}

// checkPassed refuses flags for the daemons that would take what we hold together
// apart, and those with which a daemon says something and ends.
func (s *start) checkPassed() error {
	for _, flags := range [][]string{s.Proxy, s.Pool, s.Spawn} {
		for _, flag := range passed(flags) {
			switch name, _, _ := strings.Cut(flag, "="); name {
			case "--state-dir":
				return wrong("all daemons have one state directory; use --state-dir alone")
			case "-h", "--help", "-v", "--version":
				return wrong("with %s a daemon does not run", name)
			case "--":
				return wrong("%q is no flag for a daemon", flag)
			}
		}
	}
	return nil
}

// passed are flags as the daemons take them: "h2c" is "--h2c".
func passed(flags []string) []string {
	var list []string
	for _, f := range flags {
		if !strings.HasPrefix(f, "-") {
			f = "--" + f
		}
		list = append(list, f)
	}
	return list
}

// each is a flag that is repeated.
func each(name string, values []string) []string {
	var flags []string
	for _, v := range values {
		flags = append(flags, "--"+name+"="+v)
	}
	return flags
}

func (s *start) port() string {
	if s.Port == "" {
		return usualPort
	}
	return s.Port
}

// listen returns where the proxy listens, and the URL that people are told.
func (s *start) listen() (addresses []string, url string) {
	prefix, scheme := "", "http"
	if s.TLS {
		prefix, scheme = "tls:", "https"
	}
	if s.Socket != "" {
		if path, err := filepath.Abs(s.Socket); err == nil {
			s.Socket = path
		}
		return []string{prefix + "unix:" + s.Socket}, prefix + "unix:" + s.Socket
	}
	host := s.Address
	if host == "" || host == "localhost" {
		host = loopback
	}
	host = strings.Trim(host, "[]")
	at := net.JoinHostPort(host, s.port())
	addresses, url = []string{prefix + at}, scheme+"://"+at+"/"
	if s.TLSPort != "" {
		at = net.JoinHostPort(host, s.TLSPort)
		addresses, url = append(addresses, "tls:"+at), url+" and https://"+at+"/"
	}
	return addresses, url
}

// log is what each daemon is told of the log. Without it each has its variable.
func (s *start) log() []string {
	if s.LogFormat == "json" {
		return []string{"--log-format=json"}
	}
	return nil
}

func (s *start) proxyFlags(listen []string) []string {
	flags := slices.Concat(s.log(), each("listen", listen), each("certificate", s.Certificate), each("key", s.Key), each("acme-domain", s.ACMEDomain))
	if s.ACMEAgreeTOS {
		flags = append(flags, "--acme-agree-tos")
	}
	if s.AccessLog != "" {
		flags = append(flags, "--access-log="+s.AccessLog)
	}
	if trusted := s.trusted(); len(trusted) > 0 {
		flags = append(flags, "--trusted-proxy="+strings.Join(trusted, ","))
	}
	return append(flags, passed(s.Proxy)...)
}

// trusted are the networks that the proxy believes about their clients: loopback
// too, where one user runs everything.
func (s *start) trusted() []string {
	list := s.TrustedProxy
	if len(list) == 0 {
		list = strings.FieldsFunc(os.Getenv("PASSENGER_PROXY_TRUSTED_PROXY"), func(r rune) bool { return r == ',' || r == ' ' })
	}
	switch {
	case len(list) == 1 && list[0] == "none":
		return nil
	case s.UserSwitching:
		return list
	}
	return append([]string{"127.0.0.0/8", "::1"}, list...)
}

func (s *start) poolFlags() []string {
	flags := s.log()
	if s.MaxPoolSize != nil {
		flags = append(flags, fmt.Sprintf("--max-pool-size=%d", *s.MaxPoolSize))
	}
	if s.UserSwitching {
		return append(flags, passed(s.Pool)...)
	}
	if s.AppsDir != "" {
		flags = append(flags, "--apps-dir="+s.AppsDir)
	}
	if len(s.Apps) > 0 {
		environment := "environment?=" + usualEnvironment()
		if s.Environment != "" {
			environment = "environment=" + s.Environment
		}
		flags = append(flags, "--set", environment)
		if s.MinInstances != nil {
			flags = append(flags, "--set", fmt.Sprintf("min_instances=%d", *s.MinInstances))
		}
	}
	return append(append(append(flags, passed(s.Pool)...), "--"), s.Apps...)
}

// describe are the flags of passenger-spawn describe, which writes the settings of
// apps for a spawner that switches users.
func (s *start) describe() []string {
	environment := s.Environment
	if environment == "" {
		environment = usualEnvironment()
	}
	flags := []string{"--environment=" + environment}
	if s.MinInstances != nil {
		flags = append(flags, fmt.Sprintf("--min-instances=%d", *s.MinInstances))
	}
	return flags
}

// usualEnvironment is that of an app whose settings name none.
func usualEnvironment() string {
	for _, name := range []string{"RAILS_ENV", "RACK_ENV", "NODE_ENV", "PASSENGER_APP_ENV"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return development
}
