package cli

import (
	"fmt"
	"os"
	"syscall"

	"passenger/lib/account"
)

// AccessHint says as which user to repeat a command that may not reach a daemon
// in the state directory.
func AccessHint(dir string) string {
	fi, err := os.Stat(dir)
	if err != nil {
		return "run it as root, with sudo, or as the user that the daemons run as"
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "run it as root, with sudo"
	}
	return fmt.Sprintf("run it with sudo or as user %s; members of a group may call the daemons that were started with --control-group", account.NameOf(int(st.Uid)))
}
