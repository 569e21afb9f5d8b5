package app

import (
	"bytes"
	"io/fs"
)

// listsOfPackages are where an app in Python says what it needs.
var listsOfPackages = []string{"requirements.txt", "pyproject.toml", "Pipfile", "requirements/production.txt", "requirements/base.txt", "setup.cfg", "setup.py"}

var (
	asgiPackage = pattern(`(?mi)(?:^|["'\s])(?:fastapi|starlette|quart|litestar|blacksheep)(?:["'\s\[<>=~!;,]|$)`)
	wsgiPackage = pattern(`(?mi)(?:^|["'\s])(?:flask|django|bottle|pyramid|dash|falcon)(?:["'\s\[<>=~!;,]|$)`)
)

// needsASGI says that the packages that an app lists have a framework for ASGI,
// and none for WSGI: an app whose startup file imports neither is of the first.
func needsASGI(root fs.FS) bool {
	b := requirements(root)
	return asgiPackage().Match(b) && !wsgiPackage().Match(b)
}

// needsWSGI is needsASGI the other way round.
func needsWSGI(root fs.FS) bool {
	b := requirements(root)
	return wsgiPackage().Match(b) && !asgiPackage().Match(b)
}

func requirements(root fs.FS) []byte {
	var all bytes.Buffer
	for _, file := range listsOfPackages {
		if b, err := fs.ReadFile(root, file); err == nil {
			all.Write(b)
			all.WriteByte('\n')
		}
	}
	return all.Bytes()
}
