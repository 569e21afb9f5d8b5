package app

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spelling"
)

// SpawnMethods are the values of spawn_method.
var SpawnMethods = []string{"smart", "direct"}

func checkEnv(c protocol.AppConfig) error {
	for name, value := range c.EnvVars {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return fmt.Errorf("envvars: %q cannot be the name of an environment variable, or its value has a NUL", name)
		}
	}
	if strings.ContainsRune(c.StartCommand, 0) || strings.ContainsRune(c.Environment, 0) {
		return fmt.Errorf("a setting has a NUL in it")
	}
	return nil
}

// checkSpawning is for how a process comes to be.
func checkSpawning(c protocol.AppConfig) error {
	if c.SpawnMethod != "" && !slices.Contains(SpawnMethods, c.SpawnMethod) {
		return fmt.Errorf("unknown spawn_method %q%s (known: %s)", c.SpawnMethod, spelling.DidYouMean(c.SpawnMethod, SpawnMethods), strings.Join(SpawnMethods, ", "))
	}
	if t := *c.PreloaderIdleTime; !(t >= 0 && t <= maxSeconds) {
		return fmt.Errorf("max_preloader_idle_time is %v seconds; it must be 0 to %d", t, maxSeconds)
	}
	return inRange([]limited{
		{"refork_after", c.ReforkAfter, 0, math.MaxInt32}, {"threads", c.Threads, 1, 1000},
	})
}

// checkPrivileges checks the user that a process runs as and what it may use.
func checkPrivileges(c protocol.AppConfig) error {
	if n, err := strconv.ParseUint(c.Umask, 8, 32); c.Umask != "" && (err != nil || n > 0o777) {
		return fmt.Errorf("umask %q is not octal, such as \"0027\"", c.Umask)
	}
	for _, s := range []string{c.User, c.Group, c.LogFile, strings.Join(c.EnvFiles, "")} {
		if strings.ContainsRune(s, 0) {
			return fmt.Errorf("a setting has a NUL in it")
		}
	}
	for _, s := range c.RLimits {
		if _, err := proc.ParseLimit(s); err != nil {
			return fmt.Errorf("rlimits: %w", err)
		}
	}
	return inRange([]limited{
		{"nice", c.Nice, -20, 19}, {"oom_score_adj", c.OOMScoreAdj, -1000, 1000},
		{"memory_max", c.MemoryMax, 0, math.MaxInt32}, {"pids_max", c.PIDsMax, 0, math.MaxInt32},
		{"cpu_weight", c.CPUWeight, 0, 10_000},
	})
}

// A limited number is a setting with its range.
type limited struct {
	key   string
	value int
	least int
	most  int
}

func inRange(numbers []limited) error {
	var wrong []error
	for _, n := range numbers {
		if n.value < n.least || n.value > n.most {
			wrong = append(wrong, fmt.Errorf("%s is %d; it must be %d to %d", n.key, n.value, n.least, n.most))
		}
	}
	return together(wrong)
}
