package statedir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/natefinch/atomic"
)

// WriteJSON replaces the file at path by v: write, fsync, rename. The file is
// private to us. The directory is not synced, so a crash of the machine may
// show the previous version; a reader never sees half of one.
func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return Write(path, append(b, '\n'))
}

// Write is WriteJSON for what is a text already.
func Write(path string, b []byte) error {
	if err := atomic.WriteFile(path, bytes.NewReader(b)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// ReadJSON reads the file at path into v. It ignores unknown fields. A missing
// file is fs.ErrNotExist.
func ReadJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
