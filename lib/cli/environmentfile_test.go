package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadEnvironmentFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passenger")
	text := `# a comment
PASSENGER_POOL_MAX_SIZE=many
PASSENGER_POOL_LISTEN=:1, :2
PASSENGER_POOL_LISTN=:3
export PASSENGER_POOL_DIR=/x
PASSENGER_POOL_DIR=
PASSENGER_PROXY_WHATEVER=1
PASSENGER_POL_MAX_SIZE=1
LANG=C
PASSENGER_POOL_HOOK="a,b
c"
PASSENGER_STATE_DIR=/state
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PASSENGER_POOL_MAX_SIZE", "9") // no variable of the file
	var c command
	found, err := ReadEnvironmentFile("passenger-pool", &c, path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Finding{
		{Line: 5, Message: `"export PASSENGER_POOL_DIR" is no name of a variable: it has letters, digits and _ alone; systemd leaves it out`},
		{Line: 2, Message: `--max-size: takes a whole number, not "many" (from the environment variable $PASSENGER_POOL_MAX_SIZE)`},
		{Line: 4, Message: `no daemon has a variable PASSENGER_POOL_LISTN; did you mean "PASSENGER_POOL_LISTEN"?`},
		{Line: 6, Message: "$PASSENGER_POOL_DIR is set but empty; unset it or give it a value"},
		{Line: 8, Message: "no daemon has a variable PASSENGER_POL_MAX_SIZE; did you mean \"PASSENGER_POOL_MAX_SIZE\"?"},
	}
	for i := range want {
		want[i].File = path
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	serves := serve{LogFormat: LogFormat{LogFormat: textFormat}, MaxSize: 6, Listen: []string{":1", ":2"}, Hook: []string{"a,b", "c"}}
	if diff := cmp.Diff(serves, c.Serve); diff != "" {
		t.Errorf("the command (-want +got)\n%s", diff)
	}
	if c.StateDir != "/state" || os.Getenv("PASSENGER_POOL_MAX_SIZE") != "9" || os.Getenv("PASSENGER_POOL_LISTEN") != "" {
		t.Errorf("got state directory %q, environment %q", c.StateDir, os.Environ())
	}
}
