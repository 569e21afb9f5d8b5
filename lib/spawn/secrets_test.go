package spawn

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"passenger/lib/protocol"
	"passenger/lib/secret"
	"passenger/lib/spawn/plan"
)

func TestNoSecretInASpawnError(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	dir := t.TempDir()
	secrets := "STRIPE=sk_live_1234\nDATABASE=postgres://shop:hunter2hunter2@db/shop\n"
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(secrets), 0o600); err != nil {
		t.Fatal(err)
	}
	config := appConfig(`failing {"summary": "sk_live_1234 is refused", "detail": "tok-abcdef, hunter2hunter2", "error_class": "X"}`)
	config.AppRoot, config.EnvFiles = dir, []string{".env"}
	config.EnvVars["API_TOKEN"] = "tok-abcdef"
	config.StartCommand += " --with tok-abcdef"
	_, err := s.Spawn(t.Context(), request("hide", config))
	var se *protocol.SpawnError
	if !errors.As(err, &se) {
		t.Fatalf("got %v, want a spawn error", err)
	}
	text, err := json.Marshal(se)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"sk_live_1234", "tok-abcdef", "hunter2hunter2"} {
		if strings.Contains(string(text), value) {
			t.Errorf("%s is shown: %s", value, text)
		}
	}
	if !strings.Contains(se.Summary, secret.Hidden+" is refused") || se.Environment["STRIPE"] != secret.Hidden {
		t.Errorf("got summary %q, STRIPE %q", se.Summary, se.Environment["STRIPE"])
	}
}

// TestHideKnowsEveryField has the secret in each text of a spawn error, but for
// those that the spawner makes itself.
func TestHideKnowsEveryField(t *testing.T) {
	t.Parallel()
	const value = "tok-abcdef"
	ours := []string{"Category", "App", "ProcessID", "AppRoot", "User", "Phases", "Environment"}
	e := &protocol.SpawnError{Exit: &protocol.Exit{Cause: value}}
	fields := reflect.ValueOf(e).Elem()
	for i := range fields.NumField() {
		f := fields.Field(i)
		switch f.Interface().(type) {
		case string:
			f.SetString(value)
		case []string:
			f.Set(reflect.ValueOf([]string{"a " + value}))
		}
		if slices.Contains(ours, fields.Type().Field(i).Name) {
			f.SetZero()
		}
	}
	hide(e, &plan.Plan{Env: map[string]string{"API_TOKEN": value, "OPTIONS": "--token " + value}})
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), value) || !strings.Contains(string(text), secret.Hidden) {
		t.Errorf("got %s", text)
	}
}
