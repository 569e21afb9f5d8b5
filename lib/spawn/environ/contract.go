package environ

import (
	"strconv"
)

// Descriptors of the process contract.
const (
	ListenFD = 3 // the listening socket, or a preloader's control socket
	NotifyFD = 4 // connected to the process's notify socket
)

// contractNames are the variables of the process contract.
var contractNames = []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "PASSENGER_NOTIFY_FD", "PASSENGER_PRELOADER_FD", "PASSENGER_THREADS"}

// SideContract puts the variables of the process contract into the environment of
// a side process, which listens on nothing.
func SideContract(env map[string]string, notifySocket, processType string) {
	for _, name := range contractNames {
		delete(env, name)
	}
	env["NOTIFY_SOCKET"] = notifySocket
	env["PASSENGER_PROCESS_TYPE"] = processType
}

// Contract puts the variables of the process contract into the environment of a
// process that serves, whatever the app's settings say of them. The process
// itself sets LISTEN_PID. port is 0 for an app that has none.
func Contract(env map[string]string, notifySocket string, port int) {
	delete(env, "LISTEN_PID")
	delete(env, "LISTEN_FDNAMES")
	env["LISTEN_FDS"] = "1"
	env["NOTIFY_SOCKET"] = notifySocket
	env["PASSENGER_NOTIFY_FD"] = strconv.Itoa(NotifyFD)
	if port != 0 {
		env["PORT"] = strconv.Itoa(port)
		env["LISTEN_FDNAMES"] = "listener" // as systemd does; Twisted takes no descriptor without a name
	}
}
