package files

import "os"

// Unnamed makes a file in dir, "" for the system's directory of temporary
// files, that no other process can open.
func Unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "passenger-body-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
