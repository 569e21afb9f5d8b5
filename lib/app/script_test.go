package app

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"passenger/lib/protocol"
)

func TestScriptsOfPackageJSON(t *testing.T) {
	t.Parallel()
	const path = `env "PATH=$PWD/node_modules/.bin:$PATH" `
	for _, test := range []struct{ script, prestart, want string }{
		{"next start -p $PORT", "", path + "next start -p $PORT --hostname 127.0.0.1"},
		{"node --env-file=.env index.js", "", path + "node --env-file=.env index.js"},
		{"NODE_ENV=production node index.js", "", path + "NODE_ENV=production node index.js"},
		{"cross-env NODE_ENV=production node index.js", "", path + "NODE_ENV=production node index.js"},
		{`node serve "a; b" 'c & d' e\;f`, "", path + `node serve "a; b" 'c & d' e\;f`},
		{"node serve > log", "", path + "node serve > log"},
		{"node build && node serve", "", path + inShell},
		{"node a & node b", "", path + inShell},
		{"(node a)", "", path + inShell},
		{"cd dist", "", path + inShell},
		{"X=1 exec node a", "", path + inShell},
		{"X=1", "", path + inShell},
		{`node "a`, "", path + inShell},
		{"next start", "next build 'a'", path + `sh -c '(` + "\n" + `next build '\''a'\''` + "\n" + `) && exec env next start --hostname 127.0.0.1'`},
	} {
		p := manifest{Scripts: map[string]loose{"start": loose(test.script), "prestart": loose(test.prestart)}}
		if got := runScript(fstest.MapFS{}, p); got.StartCommand != test.want || got.Env["npm_lifecycle_script"] != test.script {
			t.Errorf("%q: got %q with %q, want %q", test.script, got.StartCommand, got.Env, test.want)
		}
	}
}

// What frameworks' own servers are told is nothing that other programs hear:
// HOSTNAME is the machine's name there.
func TestServersOfFrameworksListenOnLoopback(t *testing.T) {
	t.Parallel()
	host, hostname := map[string]string{"HOST": "127.0.0.1"}, map[string]string{"HOSTNAME": "127.0.0.1"}
	for _, test := range []struct {
		script, want string
		env          map[string]string
	}{
		{"next start", "next start --hostname 127.0.0.1", hostname},
		{"next start -H 0.0.0.0", "next start -H 0.0.0.0", hostname},
		{"next start --hostname=::1 -p 80", "next start --hostname=::1 -p 80", hostname},
		{"next dev", "next dev", hostname},
		{"cross-env A=b next start", "cross-env A=b next start --hostname 127.0.0.1", hostname},
		{"prisma migrate deploy && next start", "prisma migrate deploy && next start --hostname 127.0.0.1", hostname},
		{"nuxt start", "nuxt start", host},
		{"react-router-serve ./build/server/index.js", "react-router-serve ./build/server/index.js", host},
		{"node server.js --next start", "node server.js --next start", nil},
		{"next build && node server.js", "next build && node server.js", nil},
		{"nextcloud start", "nextcloud start", nil},
	} {
		d := Detection{Env: map[string]string{}}
		got := d.fit(test.script)
		if got != test.want || !cmp.Equal(d.Env, test.env, cmpopts.EquateEmpty()) || (len(d.Unset) == 0) != (test.env == nil) {
			t.Errorf("%q: got %q with %q, without %q; want %q with %q", test.script, got, d.Env, d.Unset, test.want, test.env)
		}
	}
}

func TestScriptsThatLeadToOthers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"npm run serve": "serve -p $PORT", "yarn serve": "serve -p $PORT", "pnpm run serve": "serve -p $PORT", "npm run twice": "serve -p $PORT",
		"npm run none": "npm run none", "npm run built": "npm run built", "npm run serve -- -v": "npm run serve -- -v", "npm run start": "npm run start",
		"serve": "serve",
	} {
		p := manifest{Scripts: map[string]loose{
			"start": loose(text), "serve": "serve -p $PORT", "twice": "npm run serve", "built": "node x", "prebuilt": "make",
		}}
		if got := p.script("start", 0); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestScriptsOfYarnWithoutNodeModules(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{".pnp.cjs": "", "package.json": `{"scripts": {"start": "next start"}}`})
	got, err := Detect(protocol.AppConfig{AppRoot: root}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got.StartCommand != inShell || got.Env[scriptVariable] != "yarn run start" {
		t.Errorf("got %q with %q", got.StartCommand, got.Env)
	}
}

func TestScriptsHaveTheVariablesOfNpm(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"yarn.lock": "", "package.json": `{"name": "shop", "version": "1.2.3",
		"config": {"port": 8080, "host": "::", "a b": 1}, "scripts": {"start": "serve -l $npm_package_config_port"}}`})
	got, err := Detect(protocol.AppConfig{AppRoot: root}, false)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"npm_package_name": "shop", "npm_package_version": "1.2.3", "npm_package_config_port": "8080", "npm_package_config_host": "::",
		"npm_lifecycle_event": "start", "npm_lifecycle_script": "serve -l $npm_package_config_port", "npm_command": "start",
		"npm_config_user_agent": "yarn/0.0.0 npm/? passenger",
	}
	if diff := cmp.Diff(want, got.Env, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}
