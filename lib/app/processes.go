package app

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"passenger/lib/protocol"
	"passenger/lib/spelling"
)

// Defaults of side processes.
const (
	sideReadyAfter = 3 // seconds
	sideStopSignal = "TERM"
)

// mostTypes is how many types of side processes an app may have.
const mostTypes = 50

// web is the type of the processes that serve, which a Procfile names so.
const web = "web"

var sideType = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,40}$`)

// withSideDefaults fills in what the settings of side processes leave open, but
// for a command, which the Procfile of a release may have.
func withSideDefaults(c protocol.AppConfig) map[string]protocol.SideProcess {
	if c.Processes == nil {
		return nil
	}
	full := maps.Clone(c.Processes)
	for kind, s := range full {
		if s.Count == nil {
			s.Count = new(1)
		}
		setDefault(&s.StopSignal, sideStopSignal)
		setDefault(&s.StopGrace, c.StopGrace)
		setDefault(&s.ReadyAfter, sideReadyAfter)
		s.StopSignal, s.QuietSignal = strings.TrimPrefix(s.StopSignal, "SIG"), strings.TrimPrefix(s.QuietSignal, "SIG")
		full[kind] = s
	}
	return full
}

// checkProcesses checks the settings of side processes.
func checkProcesses(c protocol.AppConfig) error {
	var wrong []error
	for _, kind := range slices.Sorted(maps.Keys(c.Processes)) {
		if err := checkSide(c, kind, c.Processes[kind]); err != nil {
			wrong = append(wrong, fmt.Errorf("processes: %q: %w", kind, err))
		}
	}
	if len(c.Processes) > mostTypes {
		wrong = append(wrong, fmt.Errorf("processes has %d types; at most %d make sense", len(c.Processes), mostTypes))
	}
	return together(wrong)
}

func checkSide(c protocol.AppConfig, kind string, s protocol.SideProcess) error {
	switch {
	case kind == web:
		return fmt.Errorf("the processes that serve are the app's own; see app_start_command")
	case !sideType.MatchString(kind):
		return fmt.Errorf("a type has 1 to 40 characters of a-z, A-Z, 0-9, '-' and '_'")
	case strings.ContainsRune(s.Command, 0):
		return fmt.Errorf("command has a NUL in it")
	case s.Count != nil && (*s.Count < 0 || *s.Count > maxInstances):
		return fmt.Errorf("count is %d; it must be 0 to %d", *s.Count, maxInstances)
	case s.MemoryLimit < 0:
		return fmt.Errorf("memory_limit is %d; it must be 0, for no limit, or more", s.MemoryLimit)
	case s.Required && s.Exclusive:
		return fmt.Errorf("required has a new process start beside the old ones, which exclusive forbids")
	case s.QuietTime > 0 && s.QuietSignal == "":
		return fmt.Errorf("quiet_time is set, and no quiet_signal")
	}
	for _, t := range []struct {
		key         string
		value, most float64
	}{
		{"stop_grace", s.StopGrace, maxSeconds}, {"quiet_time", s.QuietTime, maxSeconds}, {"ready_after", s.ReadyAfter, c.StartTimeout},
	} {
		if !(t.value >= 0 && t.value <= t.most) {
			return fmt.Errorf("%s is %v seconds; it must be 0 to %v", t.key, t.value, t.most)
		}
	}
	for key, name := range map[string]string{"stop_signal": s.StopSignal, "quiet_signal": s.QuietSignal} {
		if name != "" && unix.SignalNum("SIG"+name) == 0 {
			return fmt.Errorf("%s: unknown signal %q; there are TERM, INT, QUIT, TSTP and others of signal(7)", key, name)
		}
	}
	return nil
}

// sideKeys are the keys of one type of side processes.
var sideKeys = func() (keys []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[protocol.SideProcess]()) {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}()

// unknownSideKeys tells of keys in the settings of side processes that have no
// meaning. What is no object of objects is told of elsewhere.
func unknownSideKeys(value json.RawMessage) error {
	var types map[string]map[string]json.RawMessage
	if json.Unmarshal(value, &types) != nil {
		return nil
	}
	var wrong []error
	for _, kind := range slices.Sorted(maps.Keys(types)) {
		for _, key := range slices.Sorted(maps.Keys(types[kind])) {
			if !slices.Contains(sideKeys, key) {
				wrong = append(wrong, fmt.Errorf("processes: %q: unknown key %q%s", shortened(kind), shortened(key), spelling.DidYouMean(key, sideKeys)))
			}
		}
	}
	return together(wrong)
}

// Side is the settings that side processes of a type are run with: those of the
// app, but for what concerns processes that serve.
func Side(c protocol.AppConfig, kind string) protocol.AppConfig {
	s := c.Processes[kind]
	c.Type, c.StartupFile, c.StartCommand = protocol.TypeGeneric, "", s.Command
	c.StopGrace, c.SpawnMethod, c.ReforkAfter, c.HealthPath, c.WarmUp, c.MaxConcurrency = s.StopGrace, "", 0, "", nil, nil
	return c
}

// DetectSideAt is [DetectAt] for side processes of a type: by their command, else
// by the Procfile.
func DetectSideAt(c protocol.AppConfig, at, kind string, confined bool) (Detection, error) {
	s, ok := c.Processes[kind]
	if !ok {
		return Detection{}, fmt.Errorf("it has no side processes of type %q", kind)
	}
	if s.Command != "" {
		return DetectAt(protocol.AppConfig{AppRoot: c.AppRoot, StartCommand: s.Command}, at, confined)
	}
	root, err := openDirectory(at, confined)
	if err != nil {
		return Detection{}, fmt.Errorf("app directory %q: %w", c.AppRoot, unwrapPath(err))
	}
	defer root.close()
	d, why := procfileLine(root, kind)
	if d == nil {
		return Detection{}, fmt.Errorf("side process %q has no command, and there is none in the Procfile: %s", kind, why)
	}
	d.Type, d.Why = protocol.TypeGeneric, "Procfile: "+why
	return *d, nil
}

// procfileLine takes the line of a type in the Procfile for a start command.
func procfileLine(root fs.FS, kind string) (*Detection, string) {
	b, err := fs.ReadFile(root, "Procfile")
	if err != nil {
		return nil, notThere
	}
	for line := range strings.Lines(string(b)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), kind+":")
		if command = strings.TrimSpace(command); !ok || command == "" {
			continue
		}
		d := &Detection{}
		d.StartCommand, d.Env = CommandOf(command)
		return d, fmt.Sprintf("its %s process is %q", kind, command)
	}
	return nil, "it has no line for " + kind
}
