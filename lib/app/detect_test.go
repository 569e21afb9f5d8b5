package app

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"passenger/lib/protocol"
)

const django = `os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')`

var svelte = map[string]string{"PROTOCOL_HEADER": "x-forwarded-proto", "HOST_HEADER": "x-forwarded-host", "ADDRESS_HEADER": "x-forwarded-for"}

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		set   protocol.AppConfig
		files map[string]string
		want  Detection
	}{
		{name: "rack", files: map[string]string{"config.ru": "", "app.js": "", "package.json": "{}"},
			want: Detection{Type: "rack", StartupFile: "config.ru"}},
		{name: "passenger_wsgi", files: map[string]string{"passenger_wsgi.py": "", "manage.py": django},
			want: Detection{Type: "wsgi", StartupFile: "passenger_wsgi.py"}},
		{name: "app.js", files: map[string]string{"app.js": "", "package.json": `{"main": "other.js"}`, "other.js": ""},
			want: Detection{Type: "node", StartupFile: "app.js"}},
		{name: "package main", files: map[string]string{"package.json": `{"main": "./lib/server"}`, "lib/server.js": ""},
			want: Detection{Type: "node", StartupFile: "lib/server.js"}},
		{name: "package main is a folder", files: map[string]string{"package.json": `{"main": "lib"}`, "lib/index.js": ""},
			want: Detection{Type: "node", StartupFile: "lib/index.js"}},
		{name: "package without main", files: map[string]string{"package.json": `{}`, "index.js": ""},
			want: Detection{Type: "node", StartupFile: "index.js"}},
		{name: "start script of node", files: map[string]string{"package.json": `{"main": "x.js", "scripts": {"start": "node ./bin/www"}}`, "bin/www": "", "x.js": ""},
			want: Detection{Type: "node", StartupFile: "bin/www"}},
		{name: "start script is the folder, which has a main", files: map[string]string{"package.json": `{"main": "server.js", "scripts": {"start": "node ."}}`, "server.js": "", "index.js": ""},
			want: Detection{Type: "node", StartupFile: "server.js"}},
		{name: "odd values that say nothing", files: map[string]string{"server.js": "",
			"package.json": `{"name": 1, "version": null, "config": "none", "packageManager": {}, "main": "server.js", "scripts": {"prestart": false}}`},
			want: Detection{Type: "node", StartupFile: "server.js"}},
		{name: "start script of something else", files: map[string]string{"package.json": `{"main": "x.js", "scripts": {"start": "next start"}}`, "x.js": ""},
			want: Detection{Type: "generic", StartCommand: `env "PATH=$PWD/node_modules/.bin:$PATH" next start --hostname 127.0.0.1`, Env: map[string]string{"HOSTNAME": "127.0.0.1"}, Unset: []string{"NODE_ENV"}}},
		{name: "start script, but the type is said", set: protocol.AppConfig{Type: "node"},
			files: map[string]string{"package.json": `{"main": "x.js", "scripts": {"start": "next start"}}`, "x.js": ""},
			want:  Detection{Type: "node", StartupFile: "x.js"}},
		{name: "django", files: map[string]string{"manage.py": django, "site1/settings.py": "", "site1/wsgi.py": ""},
			want: Detection{Type: "wsgi", StartupFile: "site1/wsgi.py:application"}},
		{name: "django with assets", files: map[string]string{"manage.py": django, "site1/wsgi.py": "", "package.json": `{"scripts": {"start": "webpack --watch"}}`},
			want: Detection{Type: "wsgi", StartupFile: "site1/wsgi.py:application"}},
		{name: "django names its callable", files: map[string]string{"manage.py": django,
			"site1/settings.py": "DEBUG = False\nWSGI_APPLICATION = 'site1.serve.callable'\n", "site1/serve.py": "", "site1/wsgi.py": ""},
			want: Detection{Type: "wsgi", StartupFile: "site1/serve.py:callable"}},
		{name: "django with a settings package", files: map[string]string{
			"manage.py":                "os.environ['DJANGO_SETTINGS_MODULE'] = \"config.settings.production\"",
			"config/settings/base.py":  `WSGI_APPLICATION = "config.wsgi.application"`,
			"config/wsgi.py":           "",
			"config/settings/local.py": "",
		}, want: Detection{Type: "wsgi", StartupFile: "config/wsgi.py:application"}},
		{name: "django for ASGI", set: protocol.AppConfig{Type: "asgi"},
			files: map[string]string{"manage.py": django, "site1/settings.py": "", "site1/wsgi.py": "", "site1/asgi.py": ""},
			want:  Detection{Type: "asgi", StartupFile: "site1/asgi.py:application"}},
		{name: "django for ASGI only", files: map[string]string{"manage.py": django, "site1/settings.py": "ASGI_APPLICATION = 'site1.routing.app'\n", "site1/routing.py": ""},
			want: Detection{Type: "asgi", StartupFile: "site1/routing.py:app"}},
		{name: "django with channels", files: map[string]string{"manage.py": django, "site1/wsgi.py": "", "site1/asgi.py": "",
			"site1/settings.py": "WSGI_APPLICATION = 'site1.wsgi.application'\nASGI_APPLICATION = 'site1.asgi.application'\n"},
			want: Detection{Type: "asgi", StartupFile: "site1/asgi.py:application"}},
		{name: "django with channels, but the type is said", set: protocol.AppConfig{Type: "wsgi"},
			files: map[string]string{"manage.py": django, "site1/wsgi.py": "", "site1/asgi.py": "", "site1/settings.py": "ASGI_APPLICATION = 'site1.asgi.application'\n"},
			want:  Detection{Type: "wsgi", StartupFile: "site1/wsgi.py:application"}},
		{name: "django with both files", files: map[string]string{"manage.py": django, "site1/wsgi.py": "", "site1/asgi.py": ""},
			want: Detection{Type: "wsgi", StartupFile: "site1/wsgi.py:application"}},
		{name: "passenger_asgi", files: map[string]string{"passenger_asgi.py": "", "manage.py": django},
			want: Detection{Type: "asgi", StartupFile: "passenger_asgi.py"}},
		{name: "fastapi", files: map[string]string{"main.py": "import os\nfrom fastapi import FastAPI\napp = FastAPI()\n", "app.py": "x = 1\n"},
			want: Detection{Type: "asgi", StartupFile: "main.py:app"}},
		{name: "asgi.py", files: map[string]string{"asgi.py": "async def application(scope, receive, send): pass\n", "wsgi.py": "def application(): pass\n"},
			want: Detection{Type: "asgi", StartupFile: "asgi.py:application"}},
		{name: "asgi.py is named", set: protocol.AppConfig{StartupFile: "site1/asgi.py:application"}, files: map[string]string{"site1/asgi.py": ""},
			want: Detection{Type: "asgi", StartupFile: "site1/asgi.py:application"}},
		{name: "flask app", files: map[string]string{"app.py": "from flask import Flask\napp = Flask(__name__)\n"},
			want: Detection{Type: "wsgi", StartupFile: "app.py:app"}},
		{name: "flask application, typed", files: map[string]string{"app.py": "application: Flask = Flask(__name__)\n"},
			want: Detection{Type: "wsgi", StartupFile: "app.py:application"}},
		{name: "wsgi.py imports app", files: map[string]string{"wsgi.py": "from shop import create_app, app\n", "app.py": "app = 1\n"},
			want: Detection{Type: "wsgi", StartupFile: "wsgi.py:app"}},
		{name: "def application", files: map[string]string{"wsgi.py": "def application(environ, start_response):\n"},
			want: Detection{Type: "wsgi", StartupFile: "wsgi.py:application"}},
		{name: "wsgi.py without, app.py with", files: map[string]string{"wsgi.py": "x = 1\n", "app.py": "app = 1\n"},
			want: Detection{Type: "wsgi", StartupFile: "app.py:app"}},
		{name: "flask factory", files: map[string]string{"app.py": "from flask import Flask\ndef create_app(config=None):\n    return Flask(__name__)\n"},
			want: Detection{Type: "wsgi", StartupFile: "app.py:create_app()"}},
		{name: "make_app", files: map[string]string{"wsgi.py": "from shop import make_app\n"},
			want: Detection{Type: "wsgi", StartupFile: "wsgi.py:make_app()"}},
		{name: "a callable before a factory", files: map[string]string{"wsgi.py": "from shop import create_app\n", "app.py": "app = 1\n"},
			want: Detection{Type: "wsgi", StartupFile: "app.py:app"}},
		{name: "flask package", files: map[string]string{"flaskr/__init__.py": "import os\n\nfrom flask import Flask\n\ndef create_app(test_config=None):\n", "tests/__init__.py": "", "setup.py": ""},
			want: Detection{Type: "wsgi", StartupFile: "flaskr/__init__.py:create_app()"}},
		{name: "flask package below src", files: map[string]string{"src/shop/__init__.py": "from flask import Flask\napp = Flask(__name__)\n"},
			want: Detection{Type: "wsgi", StartupFile: "src/shop/__init__.py:app"}},
		{name: "flask main.py", files: map[string]string{"main.py": "from flask import Flask\napp = Flask(__name__)\n"},
			want: Detection{Type: "wsgi", StartupFile: "main.py:app"}},
		{name: "fastapi app/main.py", files: map[string]string{"app/__init__.py": "", "app/main.py": "from fastapi import FastAPI\napp = FastAPI()\n"},
			want: Detection{Type: "asgi", StartupFile: "app/main.py:app"}},
		{name: "fastapi api.py", files: map[string]string{"api.py": "from fastapi import FastAPI\napp = FastAPI()\n"},
			want: Detection{Type: "asgi", StartupFile: "api.py:app"}},
		{name: "fastapi factory", files: map[string]string{"main.py": "from fastapi import FastAPI\ndef create_app() -> FastAPI:\n"},
			want: Detection{Type: "asgi", StartupFile: "main.py:create_app()"}},
		{name: "flask beside an api of fastapi", files: map[string]string{"wsgi.py": "app = 1\n", "api.py": "from fastapi import FastAPI\napp = FastAPI()\n"},
			want: Detection{Type: "wsgi", StartupFile: "wsgi.py:app"}},
		{name: "sveltekit", files: map[string]string{"package.json": `{"scripts": {"dev": "vite dev"}}`, "build/index.js": "", "build/handler.js": ""},
			want: Detection{Type: "node", StartupFile: "build/index.js", Env: svelte}},
		{name: "sveltekit with a start script", files: map[string]string{"package.json": `{"scripts": {"start": "node build"}}`, "build/index.js": "", "build/handler.js": ""},
			want: Detection{Type: "node", StartupFile: "build/index.js", Env: svelte}},
		{name: "nuxt", files: map[string]string{"package.json": `{"scripts": {"build": "nuxt build"}}`, ".output/server/index.mjs": ""},
			want: Detection{Type: "node", StartupFile: ".output/server/index.mjs"}},
		{name: "nuxt, only what was built", files: map[string]string{".output/server/index.mjs": ""},
			want: Detection{Type: "node", StartupFile: ".output/server/index.mjs"}},
		{name: "nest", files: map[string]string{"package.json": `{"scripts": {"start": "nest start", "start:prod": "node dist/main"}}`, "dist/main.js": ""},
			want: Detection{Type: "node", StartupFile: "dist/main.js"}},
		{name: "meteor", files: map[string]string{"main.js": "", "star.json": "{}"},
			want: Detection{Type: "node", StartupFile: "main.js", Env: map[string]string{"ROOT_URL": "http://localhost"}}},
		{name: "procfile", files: map[string]string{"Procfile": "release: ./migrate\nweb: gunicorn shop.wsgi --bind :$PORT\n"},
			want: Detection{Type: "generic", StartCommand: "gunicorn shop.wsgi --bind :$PORT"}},
		{name: "procfile with variables", files: map[string]string{"Procfile": "web: WORKERS=2 ./serve\n"},
			want: Detection{Type: "generic", StartCommand: "env WORKERS=2 ./serve"}},
		{name: "procfile with operators", files: map[string]string{"Procfile": "web: ./migrate && ./serve\n"},
			want: Detection{Type: "generic", StartCommand: inShell, Env: map[string]string{"PASSENGER_START_SCRIPT": "./migrate && ./serve"}}},
		{name: "procfile of an app that is known", files: map[string]string{"config.ru": "", "Procfile": "web: bundle exec puma\n"},
			want: Detection{Type: "rack", StartupFile: "config.ru"}},
		{name: "startup file is a package", set: protocol.AppConfig{Type: "wsgi", StartupFile: "flaskr:create_app()"}, files: map[string]string{"flaskr/__init__.py": ""},
			want: Detection{Type: "wsgi", StartupFile: "flaskr:create_app()"}},
		{name: "command", set: protocol.AppConfig{StartCommand: "./serve"}, files: map[string]string{"config.ru": ""},
			want: Detection{Type: "generic", StartCommand: "./serve"}},
		{name: "startup file tells the type", set: protocol.AppConfig{StartupFile: "server.mjs"}, files: map[string]string{"server.mjs": "", "config.ru": ""},
			want: Detection{Type: "node", StartupFile: "server.mjs"}},
		{name: "type and startup file", set: protocol.AppConfig{Type: "wsgi", StartupFile: "pkg/site.py:make"}, files: map[string]string{"pkg/site.py": ""},
			want: Detection{Type: "wsgi", StartupFile: "pkg/site.py:make"}},
		{name: "startup file is a module", set: protocol.AppConfig{Type: "wsgi", StartupFile: "pkg.site:make"}, files: map[string]string{"pkg/site.py": ""},
			want: Detection{Type: "wsgi", StartupFile: "pkg.site:make"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.set.AppRoot = tree(t, tt.files)
			got, err := Detect(tt.set, false)
			if err != nil {
				t.Fatal(err)
			}
			if got.Why == "" || len(got.Looked) == 0 || !got.Looked[len(got.Looked)-1].Found {
				t.Errorf("it does not explain itself: %+v", got)
			}
			for name := range got.Env {
				if strings.HasPrefix(name, "npm_") { // TestScriptsHaveTheVariablesOfNpm has them
					delete(got.Env, name)
				}
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Detection{}, "Why", "Looked"), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDetectSaysWhatItLookedFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		set   protocol.AppConfig
		files map[string]string
		want  []string
	}{
		{"empty", protocol.AppConfig{}, nil, []string{"is empty", "config.ru, passenger_wsgi.py, passenger_asgi.py, app.js, manage.py with ASGI_APPLICATION, manage.py, manage.py with asgi.py, package.json, asgi.py, main.py"}},
		{"unknown", protocol.AppConfig{}, map[string]string{"index.php": ""}, []string{"no app of a known type", "config.ru, passenger_wsgi.py"}},
		{"near misses", protocol.AppConfig{}, map[string]string{"package.json": `{"main": "gone.js"}`, "app.py": "x = 1", "manage.py": django}, []string{
			`package.json: its main "gone.js" does not exist`,
			"app.py has neither application nor app at its top level",
			"manage.py: a Django project with the settings site1.settings, but no wsgi.py beside them",
		}},
		{"two packages", protocol.AppConfig{}, map[string]string{"a/__init__.py": "from flask import Flask\napp = 1\n", "b/__init__.py": "import flask\ndef make_app(): pass\n"},
			[]string{"any of a/__init__.py:app, b/__init__.py:make_app() may be meant"}},
		{"nearest", protocol.AppConfig{}, map[string]string{"src/server.js": "", "lib/util.js": "", "src/app.py": ""}, []string{"startup_file may be meant to name src/app.py or src/server.js"}},
		{"nearest of the type", protocol.AppConfig{Type: "node"}, map[string]string{"src/server.js": "", "src/app.py": ""}, []string{"startup_file may be meant to name src/server.js"}},
		{"broken package.json", protocol.AppConfig{}, map[string]string{"package.json": "{\n,"}, []string{"package.json: not as npm knows it: line 2"}},
		{"of another type", protocol.AppConfig{Type: "rack"}, map[string]string{"app.js": ""}, []string{"no app of type rack; looked for config.ru"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.set.AppRoot = tree(t, tt.files)
			_, err := Detect(tt.set, false)
			var unknown *UnknownError
			if !errors.As(err, &unknown) || unknown.Empty != (tt.files == nil) {
				t.Fatalf("got error %v, want an UnknownError", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

func TestDetectRefuses(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"serve.sh": ""})
	_, err := Detect(protocol.AppConfig{AppRoot: filepath.Join(root, "missing")}, false)
	wantError(t, err, "no such file or directory")
	_, err = Detect(protocol.AppConfig{AppRoot: root, StartupFile: "server.js"}, false)
	wantError(t, err, `startup_file "server.js" does not exist`)
	other := tree(t, map[string]string{"src/server.js": ""})
	_, err = Detect(protocol.AppConfig{AppRoot: other, StartupFile: "server.js"}, false)
	wantError(t, err, "there is src/server.js")
	_, err = Detect(protocol.AppConfig{AppRoot: root, StartupFile: "serve.sh"}, false)
	wantError(t, err, "set app_type too")
}
