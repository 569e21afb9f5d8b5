package spawn

import (
	"fmt"
	"strings"

	"passenger/lib/app"
	"passenger/lib/protocol"
)

// checkRequest says what is wrong with a request. A spawner that switches users
// completes it with the settings, which it reads itself.
func (s *Spawner) checkRequest(req *protocol.SpawnRequest) error {
	if len(req.ID) < 4 || len(req.ID) > 16 || strings.Trim(req.ID, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: fmt.Sprintf("%q is not a process ID: 4 to 16 characters of a-z and 0-9", req.ID)}
	}
	if req.App == "" || req.Generation < 0 {
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: "the request names no app, or a negative generation"}
	}
	if s.Switching == nil {
		if req.Config == nil {
			return &protocol.Error{Code: protocol.CodeBadRequest, Message: "the request has no config"}
		}
		return checkProcessType(req)
	}
	if req.Config != nil {
		return &protocol.Error{
			Code:    protocol.CodeNotAllowed,
			Message: "the request has a config, and this spawner runs apps as other users only by settings that it reads itself",
			Hint:    "put the settings into " + s.Switching.AppsDir,
		}
	}
	if err := app.CheckName(req.App); err != nil {
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: err.Error()}
	}
	c, err := s.Switching.Config(req.App)
	if err != nil {
		return &protocol.Error{Code: protocol.CodeNotAllowed, Message: err.Error(), Hint: "Passengerfile(5) describes the settings"}
	}
	req.Config = &c
	return checkProcessType(req)
}

// checkProcessType says that the settings know nothing of the side process that is
// asked for.
func checkProcessType(req *protocol.SpawnRequest) error {
	if _, ok := req.Config.Processes[req.ProcessType]; req.ProcessType == "" || ok {
		return nil
	}
	return &protocol.Error{
		Code: protocol.CodeBadRequest, Message: fmt.Sprintf("app %q has no side processes of type %q in its settings", req.App, req.ProcessType),
	}
}
