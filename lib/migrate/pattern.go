package migrate

import (
	"regexp"
	"sync"
)

// pattern compiles an expression when it is first used: the daemon that imports
// this package, for the command that takes settings over, never uses one.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
