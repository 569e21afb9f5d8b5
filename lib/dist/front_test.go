package dist_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Apache passes on what a client sends, and what a location has set that is around
// another, so each secure header is removed before the block of them begins.
func TestApacheRemovesEverySecureHeader(t *testing.T) {
	t.Parallel()
	known := names(t, "../../man/passenger-proxy.1", `!~([A-Z_]+)`)
	removed := names(t, "apache/passenger.conf", `RequestHeader unset "!~([A-Z_]+)"`)
	if diff := cmp.Diff(known, removed); diff != "" {
		t.Errorf("secure headers (-passenger-proxy(1) +apache/passenger.conf):\n%s", diff)
	}
}

// names are what the expression's group finds in a file.
func names(t *testing.T, path, expression string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(expression).FindAllSubmatch(b, -1) {
		found[string(m[1])] = true
	}
	return slices.Sorted(maps.Keys(found))
}
