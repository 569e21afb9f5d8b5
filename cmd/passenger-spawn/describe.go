package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"passenger/lib/app"
)

// describe writes the settings of one app for a spawner that switches users,
// for the script passenger.
type describe struct {
	Environment  string `help:"The app's environment."`
	MinInstances *int   `help:"Processes to keep at least."`

	AppDir string `arg:"" name:"appdir" help:"The app's directory."`
	Into   string `arg:"" help:"The directory for the file."`
}

// Run writes the file, which every user may read: only root can write there.
func (d *describe) Run() error {
	settings := map[string]any{"app_root": d.AppDir}
	if d.Environment != "" {
		settings["environment"] = d.Environment
	}
	if d.MinInstances != nil {
		settings["min_instances"] = *d.MinInstances
	}
	b, err := json.Marshal(settings)
	if err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	path := filepath.Join(d.Into, app.NameOf(d.AppDir)+".json")
	if err := os.WriteFile(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot describe the app: %w", err)
	}
	if err := os.Chmod(path, 0o644); err != nil { // whatever the umask is
		return fmt.Errorf("cannot describe the app: %w", err)
	}
	return nil
}
