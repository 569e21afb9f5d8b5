package main

import (
	"fmt"
	"slices"
	"strings"

	"passenger/lib/pool/owner"
	"passenger/lib/protocol"
	"passenger/lib/spelling"
)

// hooks are the commands that --hook names.
func (c *serveCommand) hooks() (owner.Hooks, error) {
	hooks := owner.Hooks{}
	for _, hook := range c.Hook {
		event, command, _ := strings.Cut(hook, "=")
		if !slices.Contains(protocol.Events, event) {
			return nil, fmt.Errorf("--hook: unknown event %q%s (there are %s)",
				event, spelling.DidYouMean(event, protocol.Events), strings.Join(protocol.Events, ", "))
		}
		if strings.TrimSpace(command) == "" {
			return nil, fmt.Errorf("--hook %q has not the form EVENT=COMMAND", hook)
		}
		hooks[event] = append(hooks[event], command)
	}
	return hooks, nil
}
