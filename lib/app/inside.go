package app

import (
	"io/fs"
	"path"
)

// tells are files that make a directory an app's, whatever else is in it.
var tells = []string{"config.ru", "passenger_wsgi.py", "manage.py", "package.json"}

// inside is a directory below root that seems to be an app's, as where a
// repository holds more than the app; empty if there is none, or more than one.
func inside(root fs.FS) (dir string) {
	for _, tell := range tells {
		for _, e := range list(root, ".") {
			if !e.IsDir() || !exists(root, path.Join(e.Name(), tell)) {
				continue
			}
			if dir != "" {
				return ""
			}
			dir = e.Name()
		}
		if dir != "" {
			return dir
		}
	}
	return ""
}
