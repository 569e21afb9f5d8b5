package app

import (
	"strings"
	"testing"

	"passenger/lib/protocol"
)

const (
	flaskApp = "from flask import Flask\napp = Flask(__name__)\n"
	fastAPI  = "from fastapi import FastAPI\napp = FastAPI()\n"
	getWSGI  = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
)

// Layouts that people have, though no framework documents them.
func TestDetectLayoutsOfPeople(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files map[string]string
		kind  string
		want  string // the startup file or the command
	}{
		{"Flask's quickstart", map[string]string{"hello.py": flaskApp, "setup.py": ""}, "wsgi", "hello.py:app"},
		{"Flask in src", map[string]string{"src/app.py": flaskApp, "src/main.py": "import app\n"}, "wsgi", "src/app.py:app"},
		{"Flask in a package", map[string]string{"app/__init__.py": "", "app/main.py": flaskApp}, "wsgi", "app/main.py:app"},
		{"Flask behind an import", map[string]string{"run.py": "from shop import create_app\napp = create_app()\n", "requirements.txt": "Flask==3.1\n"}, "wsgi", "run.py:app"},
		{"Dash", map[string]string{"app.py": "import dash\napp = dash.Dash(__name__)\nserver = app.server\n"}, "wsgi", "app.py:server"},
		{"FastAPI in src", map[string]string{"src/main.py": fastAPI}, "asgi", "src/main.py:app"},
		{"FastAPI in src/app", map[string]string{"src/app/__init__.py": "", "src/app/main.py": fastAPI}, "asgi", "src/app/main.py:app"},
		{"FastAPI in backend", map[string]string{"backend/app/main.py": fastAPI, "frontend/index.html": ""}, "asgi", "backend/app/main.py:app"},
		{"FastAPI in a package", map[string]string{"shop/__init__.py": "", "shop/main.py": fastAPI}, "asgi", "shop/main.py:app"},
		{"FastAPI by another name", map[string]string{"main.py": "import fastapi\napi = fastapi.FastAPI()\n"}, "asgi", "main.py:api"},
		{"FastAPI behind an import", map[string]string{"main.py": "from shop import app\n", "pyproject.toml": "dependencies = [\"fastapi[standard]>=0.110\"]\n"}, "asgi", "main.py:app"},
		{"FastAPI's entrypoint", map[string]string{"srv/thing.py": "", "pyproject.toml": "[tool.fastapi]\nentrypoint = \"srv.thing:api\"\n"}, "asgi", "srv/thing.py:api"},
		{"Flask beside FastAPI's package", map[string]string{"app.py": flaskApp, "requirements.txt": "fastapi\n"}, "wsgi", "app.py:app"},
		{"ASGI without a framework", map[string]string{"main.py": "async def app(scope, receive, send):\n    pass\n"}, "asgi", "main.py:app"},
		{"Django's settings by a variable", map[string]string{"manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', DEFAULT)", "site1/wsgi.py": getWSGI, "venv/x/wsgi.py": getWSGI}, "wsgi", "site1/wsgi.py:application"},
		{"Django's module elsewhere", map[string]string{"manage.py": django, "site1/settings.py": "", "deploy/web/wsgi.py": getWSGI}, "wsgi", "deploy/web/wsgi.py:application"},
		{"exports", map[string]string{"package.json": `{"exports": "./src/server.js"}`, "src/server.js": ""}, "node", "src/server.js"},
		{"exports by conditions", map[string]string{"package.json": `{"exports": {".": {"types": "./x.d.ts", "import": "./src/server.mjs"}}}`, "src/server.mjs": ""}, "node", "src/server.mjs"},
		{"an ES module without a main", map[string]string{"package.json": `{}`, "index.mjs": ""}, "node", "index.mjs"},
		{"a byte order mark", map[string]string{"package.json": "\ufeff" + `{"main": "x.js"}`, "x.js": ""}, "node", "x.js"},
		{"no package.json", map[string]string{"server.js": ""}, "node", "server.js"},
		{"what TypeScript compiled", map[string]string{"package.json": `{"scripts": {"build": "tsc"}}`, "dist/index.js": ""}, "node", "dist/index.js"},
		{"Express's generator", map[string]string{"package.json": `{"scripts": {"start": "node ./bin/www"}}`, "app.js": "module.exports = app;\n", "bin/www": ""}, "node", "bin/www"},
		{"app.js that listens", map[string]string{"package.json": `{"scripts": {"start": "node other.js"}}`, "app.js": "app.listen(3000);\n", "other.js": ""}, "node", "app.js"},
		{"Fastify's command", map[string]string{"package.json": `{"scripts": {"start": "fastify start app.js"}}`, "app.js": "module.exports = plugin;\n"}, "generic", `env "PATH=$PWD/node_modules/.bin:$PATH" fastify start app.js`},
		{"Nest for production", map[string]string{"package.json": `{"scripts": {"start": "nest start", "start:prod": "node dist/apps/api/main"}}`, "dist/apps/api/main.js": ""}, "node", "dist/apps/api/main.js"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Detect(protocol.AppConfig{AppRoot: tree(t, tt.files)}, false)
			if err != nil || got.Type != tt.kind || got.StartupFile+got.StartCommand != tt.want {
				t.Errorf("got %s %q%q and error %v, want %s %q", got.Type, got.StartupFile, got.StartCommand, err, tt.kind, tt.want)
			}
		})
	}
}

// What is left open is said, with what helps.
func TestDetectSaysWhereAnAppSeemsToBe(t *testing.T) {
	t.Parallel()
	for want, files := range map[string]map[string]string{
		`the directory "mysite" in it seems to be an app's`:      {"README.md": "", "mysite/manage.py": django, "mysite/site1/wsgi.py": ""},
		`any of a.py:app, b.py:app may be meant`:                 {"a.py": flaskApp, "b.py": flaskApp},
		`does not exist; its build script may have to run first`: {"package.json": `{"main": "dist/x.js", "scripts": {"build": "tsc"}}`},
	} {
		_, err := Detect(protocol.AppConfig{AppRoot: tree(t, files)}, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q in it", err, want)
		}
	}
}
