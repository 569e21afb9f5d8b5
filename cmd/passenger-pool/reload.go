package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"passenger/lib/cli"
	"passenger/lib/protocol"
)

type reloadCommand struct{ answer }

// Run has the pool read all settings again, and fails with every reason for
// which some were refused.
func (c *reloadCommand) Run(ctx context.Context, cmd *command) error {
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	var reply protocol.ReloadReply
	if err := pool.call(ctx, "POST", protocol.PathReload, nil, &reply); err != nil {
		return err
	}
	return errors.Join(refusedSettings(reply.Refused), c.print(reply))
}

func refusedSettings(list []protocol.Refusal) error {
	if len(list) == 0 {
		return nil
	}
	var body strings.Builder
	for _, r := range list {
		fmt.Fprintf(&body, "  %s\n", strings.ReplaceAll(r.Message, "\n", "\n  "))
		if r.Hint != "" {
			fmt.Fprintf(&body, "    hint: %s\n", r.Hint)
		}
	}
	what := "1 setting was"
	if len(list) > 1 {
		what = fmt.Sprintf("%d settings were", len(list))
	}
	return &cli.Error{
		Err:  fmt.Errorf("%s refused; what ran before runs on with its old settings", what),
		Hint: "mend these and run it again:",
		Body: body.String(),
	}
}
