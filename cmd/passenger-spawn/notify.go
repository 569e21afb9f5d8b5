package main

import (
	"errors"
	"strings"

	"passenger/lib/systemd"
)

// notifyCommand tells the service manager what "passenger" has to say, which is a
// shell script. It is not for people.
type notifyCommand struct {
	Assignments []string `arg:"" name:"assignment"`
}

// Run sends the assignments. The manager sees that we are another process than
// the service's main one.
func (n *notifyCommand) Run() error {
	manager := systemd.Started()
	if manager == nil {
		return errors.New("$NOTIFY_SOCKET is not set")
	}
	manager.Tell(strings.Join(n.Assignments, "\n"))
	return nil
}
