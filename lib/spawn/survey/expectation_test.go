package survey

import (
	"os"
	"path/filepath"
	"testing"

	"passenger/lib/app"
	"passenger/lib/protocol"
)

// An expectation holds while whose the files are and what they make of the app stay.
func TestExpectations(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(t *testing.T, root string)
		want   bool
	}{
		"nothing": {func(*testing.T, string) {}, true},
		"a file of no meaning": {func(t *testing.T, root string) {
			write(t, root, "readme", "", 0o755)
		}, true},
		"the app's type": {func(t *testing.T, root string) {
			write(t, root, "config.ru", "run App", 0o644)
		}, false},
		"the interpreter": {func(t *testing.T, root string) {
			if err := os.MkdirAll(filepath.Join(root, ".venv", "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, root, ".venv/bin/python", "", 0o755)
		}, false},
		"no startup file": {func(t *testing.T, root string) {
			if err := os.Remove(filepath.Join(root, "passenger_wsgi.py")); err != nil {
				t.Fatal(err)
			}
		}, false},
		"another owner of the startup file": {func(t *testing.T, root string) {
			if err := os.Chown(filepath.Join(root, "passenger_wsgi.py"), 4711, -1); err != nil {
				t.Skip(err)
			}
		}, false},
		"another owner of the directory": {func(t *testing.T, root string) {
			if err := os.Chown(root, 4711, -1); err != nil {
				t.Skip(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			write(t, root, "passenger_wsgi.py", "application = None", 0o644)
			q := Question{Config: app.WithDefaults(protocol.AppConfig{Name: "shop", AppRoot: root})}
			f, err := q.Look()
			if err != nil {
				t.Fatal(err)
			}
			h, err := Expect(q, f)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(t, root)
			if got := h.Holds(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func write(t *testing.T, root, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, name), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
