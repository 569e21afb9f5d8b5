package diagnosis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
	"passenger/lib/spawn/notify"
)

// What real programs wrote before they exited.
func TestSignsInOutput(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		output   string
		category protocol.Category
		summary  string
	}{
		{"bundler 2.3", "/usr/lib/ruby/3.1.0/bundler/resolver.rb:235:in `block': Could not find gem 'nosuch' in locally installed gems. (Bundler::GemNotFound)\n\tfrom x", "dependency", "gem nosuch is missing"},
		{"bundler with a version", "Could not find gem 'rails (~> 7.1)' in rubygems repository https://rubygems.org/ or installed locally.", "dependency", "gem rails (~> 7.1) is missing"},
		{"bundler exec", "Could not find puma-6.4.2 in locally installed gems\nRun `bundle install` to install missing gems.", "dependency", "gem puma-6.4.2 is missing"},
		{"bundler any of the sources", "Could not find nokogiri-1.16.0 in any of the sources (Bundler::GemNotFound)", "dependency", "gem nokogiri-1.16.0 is missing"},
		{"bundle without the command", "bundler: command not found: puma\nInstall missing gem executables with `bundle install`", "dependency", `gem for the command "puma" is missing`},
		{"require", "<internal:/usr/lib/ruby/rubygems/core_ext/kernel_require.rb>:85:in `require': cannot load such file -- sinatra (LoadError)\n\tfrom app.rb:1", "dependency", `Ruby cannot load "sinatra"`},
		{"python module", "Traceback (most recent call last):\n  File \"app.py\", line 1, in <module>\n    import uvicorn\nModuleNotFoundError: No module named 'uvicorn'", "dependency", `Python module "uvicorn" is missing`},
		{"python -m", "/usr/bin/python3: No module named gunicorn", "dependency", `Python module "gunicorn" is missing`},
		{"node module", "node:internal/modules/cjs/loader:1210\n  throw err;\n  ^\n\nError: Cannot find module 'koa'\nRequire stack:\n- /srv/app/server.js", "dependency", `Node.js module "koa" is missing`},
		{"node package of a module", "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'koa' imported from /srv/app/server.mjs", "dependency", `Node.js package "koa" is missing`},
		{"a script's package manager", "sh: 1: eval: pnpm: not found\n", "interpreter", `the command "pnpm" does not exist`},
		{"a package manager that runs a script", "env: ‘bun’: No such file or directory\n", "interpreter", `the command "bun" does not exist`},
		{"a script's program in a shell", "sh: 1: eval: vite: not found\n", "interpreter", `the command "vite" does not exist`},
		{"npm script's program", "sh: 1: next: not found\n", "interpreter", `the command "next" does not exist`},
		{"node port", "Error: listen EADDRINUSE: address already in use :::3000\n    at Server.setupListenHandle", "port", "its port 3000 is taken"},
		{"puma port", "Address already in use - bind(2) for \"127.0.0.1\" port 9292 (Errno::EADDRINUSE)", "port", "its port 9292 is taken"},
		{"go port", "listen tcp :8080: bind: address already in use", "port", "its port 8080 is taken"},
		{"python port", "OSError: [Errno 98] Address already in use", "port", "a port that it wants is taken"},
		{"start script's program", "env: ‘next’: No such file or directory", "interpreter", `the command "next" does not exist`},
		{"env of the C locale", "env: 'next': No such file or directory", "interpreter", `the command "next" does not exist`},
		{"env of busybox", "env: can't execute 'next': No such file or directory", "interpreter", `the command "next" does not exist`},
		{"dash", "/bin/sh: 1: exec: nosuch: not found", "interpreter", `the command "nosuch" does not exist`},
		{"bash", "/bin/sh: line 1: exec: nosuch: not found", "interpreter", `the command "nosuch" does not exist`},
		{"dash, not executable", "/bin/sh: 1: exec: ./serve: Permission denied", "permission", `the command "./serve" may not be executed`},
		{"dash, syntax", "/bin/sh: 1: Syntax error: Unterminated quoted string", "config", "app_start_command is not shell: Unterminated quoted string"},
		{"ruby syntax", "server.rb:3: syntax error, unexpected end-of-input (SyntaxError)", "syntax", "syntax error at server.rb:3"},
		{"ruby 3.4 syntax", "ruby: --> server.rb\nserver.rb:3: syntax errors found (SyntaxError)", "syntax", "syntax error at server.rb:3"},
		{"python syntax", "  File \"/srv/app/serve.py\", line 2\n    def (\n        ^\nSyntaxError: invalid syntax", "syntax", "syntax error in /srv/app/serve.py, line 2: invalid syntax"},
		{"python indentation", "  File \"/srv/app/serve.py\", line 9\n    x\nIndentationError: unexpected indent", "syntax", "syntax error in /srv/app/serve.py, line 9: unexpected indent"},
		{"node syntax", "/srv/app/server.js:4\nlet = ;\n    ^\n\nSyntaxError: Unexpected token ';'\n    at wrapSafe", "syntax", "syntax error in /srv/app/server.js, line 4: Unexpected token ';'"},
		{"ruby permission", "Permission denied @ rb_sysopen - /srv/app/config.yml (Errno::EACCES)", "permission", "it may not use /srv/app/config.yml"},
		{"python permission", "PermissionError: [Errno 13] Permission denied: '/srv/app/db.sqlite3'", "permission", "it may not use /srv/app/db.sqlite3"},
		{"node permission", "Error: EACCES: permission denied, open '/srv/app/log.txt'", "permission", "it may not use /srv/app/log.txt"},
		{"privileged port", "Error: listen EACCES: permission denied 0.0.0.0:80", "permission", "it may not listen on port 80"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Of(Symptoms{
				Cause: &ExitError{}, Kind: protocol.TypeGeneric, Output: strings.Split(tt.output, "\n"),
				Exit: &protocol.Exit{Status: 1, Cause: "exited with status 1"},
			})
			if got.Category != tt.category || got.Summary != tt.summary || got.Advice == "" {
				t.Errorf("got %s: %q, advice %q, want %s: %q", got.Category, got.Summary, got.Advice, tt.category, tt.summary)
			}
		})
	}
}

func TestOrdinaryOutputIsNoSign(t *testing.T) {
	t.Parallel()
	got := Of(Symptoms{
		Cause: &ExitError{}, Output: []string{"Starting up", "connected to /run/db.sock", "WARNING: nothing to do"},
		Exit: &protocol.Exit{Status: 3, Cause: "exited with status 3"},
	})
	if got.Category != protocol.CategoryExit || got.Summary != "exited with status 3 before it was ready" {
		t.Errorf("got %+v", got)
	}
}

func TestSignalsAreNamed(t *testing.T) {
	t.Parallel()
	for signal, want := range map[string]string{"SIGKILL": "out of memory", "SIGSEGV": "native code crashed", "SIGTERM": "it wrote nothing"} {
		got := Of(Symptoms{Cause: &ExitError{}, Exit: &protocol.Exit{Status: -1, Signal: signal, Cause: "killed by " + signal}})
		if got.Category != protocol.CategoryKilled || got.Summary != "killed by "+signal+" before it was ready" || !strings.Contains(got.Advice, want) {
			t.Errorf("%s: got %+v, want advice with %q", signal, got, want)
		}
	}
}

func TestAdapterKnowsBest(t *testing.T) {
	t.Parallel()
	got := Of(Symptoms{
		Cause:  &ExitError{},
		Output: []string{"Could not find gem 'x' in y"},
		Report: &notify.Report{Category: protocol.CategoryApp, Summary: "The app raised RuntimeError: no database.", Advice: "Look at the backtrace."},
	})
	want := Diagnosis{protocol.CategoryApp, "the app raised RuntimeError: no database", "look at the backtrace"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Diagnosis{})); diff != "" {
		t.Error(diff)
	}
}

func TestTimeoutAdviceFitsTheType(t *testing.T) {
	t.Parallel()
	limit := &TimeoutError{3 * time.Second}
	for kind, want := range map[string]string{
		protocol.TypeNode: "the app did not call listen() within 3s",
		protocol.TypeRack: "the app was still loading after 3s",
		protocol.TypeWSGI: "the app was still loading after 3s",
	} {
		got := Of(Symptoms{Cause: limit, Kind: kind})
		if got.Category != protocol.CategoryTimeout || got.Summary != want || !strings.HasSuffix(got.Advice, "it wrote nothing") {
			t.Errorf("%s: got %+v, want %q", kind, got, want)
		}
	}
}

// A port that is the app's own, and yet not where the proxy connects.
func TestTimeoutNamesTheAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		listens []int
		want    string
	}{
		{[]int{8000, 4000}, "listens on $PORT (4000), but not on 127.0.0.1"},
		{[]int{8000}, "listens on port 8000 and not on $PORT (4000)"},
	} {
		limit := &TimeoutError{Limit: time.Second}
		if got := Of(Symptoms{Cause: limit, Kind: protocol.TypeGeneric, Port: 4000, Listens: tt.listens}).Summary; !strings.Contains(got, tt.want) {
			t.Errorf("got %q, want %q in it", got, tt.want)
		}
	}
}

func TestClause(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"The gem is missing.":      "the gem is missing",
		"RuntimeError: no":         "RuntimeError: no",
		"Ruby 3 is too old":        "Ruby 3 is too old",
		"\"x\" is missing":         "\"x\" is missing",
		"":                         "",
		"Boom":                     "Boom",
		"HTTP is not spoken here.": "HTTP is not spoken here",
	} {
		if got := clause(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
