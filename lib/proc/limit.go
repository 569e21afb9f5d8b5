package proc

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"passenger/lib/spelling"
)

// resources are the limits by the names that prlimit(1) has for them.
var resources = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
	"fsize": unix.RLIMIT_FSIZE, "memlock": unix.RLIMIT_MEMLOCK, "nofile": unix.RLIMIT_NOFILE,
	"nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "stack": unix.RLIMIT_STACK,
}

// ParseLimit reads NAME=VALUE, such as "nofile=1024" or "core=unlimited".
// Sizes are bytes, cpu is seconds.
func ParseLimit(s string) (Limit, error) {
	name, value, ok := strings.Cut(s, "=")
	resource, known := resources[name]
	if !known {
		names := slices.Sorted(maps.Keys(resources))
		return Limit{}, fmt.Errorf("unknown limit %q%s (known: %s)", name, spelling.DidYouMean(name, names), strings.Join(names, ", "))
	}
	if value == "unlimited" {
		return Limit{Resource: resource, Name: name, Value: unix.RLIM_INFINITY}, nil
	}
	n, err := strconv.ParseUint(value, 10, 63)
	if !ok || err != nil {
		return Limit{}, fmt.Errorf("limit %s: %q is neither a number nor \"unlimited\"", name, value)
	}
	return Limit{Resource: resource, Name: name, Value: n}, nil
}
