package diagnosis

import (
	"fmt"
	"time"

	"passenger/lib/spawn/notify"
)

// A TimeoutError says that the start timeout ran out.
type TimeoutError struct{ Limit time.Duration }

func (e *TimeoutError) Error() string { return fmt.Sprintf("not ready within %v", e.Limit) }

// An ExitError says that the process was gone before it was ready. Report is what
// its adapter said of the cause, nil if nothing.
type ExitError struct{ Report *notify.Report }

func (e *ExitError) Error() string { return "exited before it was ready" }
