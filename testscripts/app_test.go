package testscripts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// cmdAwaitApp waits until what the pool says of an app has these values, at
// dotted paths into its JSON, in which a number is a place in a list; "processes" alone is their number:
// await-app APP PATH=VALUE…
func cmdAwaitApp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await-app APP PATH=VALUE…")
	}
	w := worldOf(ts)
	ts.Check(eventually("app "+args[0], func() error {
		var view any
		if err := w.client(statedir.Pool).Call(context.Background(), http.MethodGet, protocol.PathApps+"/"+args[0], nil, &view); err != nil {
			return err
		}
		for _, want := range args[1:] {
			path, value, _ := strings.Cut(want, "=")
			if got := valueAt(view, path); got != value {
				text, _ := json.Marshal(view)
				return fmt.Errorf("%s is %q, want %q, in %s", path, got, value, text)
			}
		}
		return nil
	}))
}

// valueAt is the value at a dotted path as text, empty if there is none.
func valueAt(v any, path string) string {
	for _, key := range strings.Split(path, ".") {
		if list, ok := v.([]any); ok {
			if i, err := strconv.Atoi(key); err == nil && i < len(list) {
				v = list[i]
				continue
			}
		}
		m, _ := v.(map[string]any)
		v = m[key]
	}
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		return strconv.Itoa(len(v))
	default:
		return fmt.Sprint(v)
	}
}
