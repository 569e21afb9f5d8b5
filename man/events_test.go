package man_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/security"
)

var eventRow = regexp.MustCompile(`(?m)^\.It ([a-z-]+) Ta ([a-z]+) Ta ([a-z]+) Ta ([a-z]+)$`)

// TestEvents compares the table of passenger-security(7) with the actions.
func TestEvents(t *testing.T) {
	t.Parallel()
	var got, want []string
	for _, m := range eventRow.FindAllStringSubmatch(page(t, "passenger-security.7"), -1) {
		got = append(got, fmt.Sprint(m[1:]))
	}
	for _, a := range security.Actions {
		k := a.Kind()
		want = append(want, fmt.Sprint([]string{string(a), k.Category, k.Type, k.Outcome}))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table differs from lib/security (-code +page):\n%s", diff)
	}
}
