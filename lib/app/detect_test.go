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
		{name: "start script of something else", files: map[string]string{"package.json": `{"main": "x.js", "scripts": {"start": "next start"}}`, "x.js": ""},
			want: Detection{Type: "generic", StartCommand: `env "PATH=$PWD/node_modules/.bin:$PATH" next start`}},
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
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Detection{}, "Why", "Looked", "Env")); diff != "" {
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
	_, err = Detect(protocol.AppConfig{AppRoot: root, StartupFile: "serve.sh"}, false)
	wantError(t, err, "set app_type too")
}
