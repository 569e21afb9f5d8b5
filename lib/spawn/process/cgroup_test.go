package process

import (
	"errors"
	"testing"
)

func TestAReasonIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	var c Cgroups
	for _, reason := range []string{"no controller", "not delegated", "no controller"} {
		c.warn("shop", errors.New(reason))
	}
	if len(c.warned) != 2 {
		t.Errorf("got %d warnings, want one for each reason", len(c.warned))
	}
}
