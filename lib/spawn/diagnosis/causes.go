package diagnosis

import (
	"errors"
	"fmt"
	"time"

	"passenger/lib/spawn/notify"
)

// A TimeoutError says that the start timeout ran out.
type TimeoutError struct{ Limit time.Duration }

func (e *TimeoutError) Error() string { return fmt.Sprintf("not ready within %v", e.Limit) }

// ErrUnseen says that the process itself could not look at the app's directory in
// time.
var ErrUnseen = errors.New("the app's directory was not looked at")

// An ExitError says that the process was gone before it was ready. Report is what
// its adapter said of the cause, nil if nothing.
type ExitError struct{ Report *notify.Report }

func (e *ExitError) Error() string { return "exited before it was ready" }
