package buffering

import (
	"testing"
	"time"
)

func TestCreditIsEarnedByTaking(t *testing.T) {
	t.Parallel()
	var c Budget
	c.Spend(time.Hour)
	if c != 0 {
		t.Errorf("got %v at the start, want none", time.Duration(c))
	}
	c.Earn(fastClient / 32)
	if c != Budget(time.Second/32) {
		t.Errorf("got %v for the 32nd part of a second's bytes", time.Duration(c))
	}
	c.Spend(time.Second / 64)
	if c != Budget(time.Second/64) {
		t.Errorf("got %v after half of it was spent", time.Duration(c))
	}
	c.Earn(1 << 40)
	if c != Budget(MaxBudget) {
		t.Errorf("got %v, want %v at most", time.Duration(c), MaxBudget)
	}
}
