package app

import (
	"os"
	"path/filepath"
	"testing"

	"passenger/lib/protocol"
)

func TestReloads(t *testing.T) {
	t.Parallel()
	rails, node := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(rails, "config.ru"):             "",
		filepath.Join(rails, "config/application.rb"): "",
		filepath.Join(node, "package.json"):           `{"scripts": {"start": "nodemon server.js"}}`,
		filepath.Join(node, "server.js"):              "",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		config protocol.AppConfig
		want   string
	}{
		{"rails", protocol.AppConfig{AppRoot: rails, Environment: "development"}, "Rails does in development"},
		{"rails in production", protocol.AppConfig{AppRoot: rails, Environment: "production"}, ""},
		{"a start script", protocol.AppConfig{AppRoot: node}, `its command has "nodemon"`},
		{"uvicorn", protocol.AppConfig{AppRoot: t.TempDir(), StartCommand: "uvicorn main:app  --reload --fd 3"}, `its command has "--reload"`},
		{"reload in another word", protocol.AppConfig{AppRoot: t.TempDir(), StartCommand: "serve --reload-dir=x air.js"}, ""},
		{"flask", protocol.AppConfig{AppRoot: t.TempDir(), StartCommand: "flask run", EnvVars: map[string]string{"FLASK_DEBUG": "1"}}, "FLASK_DEBUG is 1"},
	} {
		if got := Reloads(tt.config); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
