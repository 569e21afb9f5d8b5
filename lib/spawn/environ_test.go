package spawn

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/account"
	"passenger/lib/protocol"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"PATH": "/bin", "HOME": "/root", "RAILS_ENV": "production", "EMPTY": "", "WORKERS": "7",
		"SECRET_KEY_BASE": "s", "AWS_SECRET_ACCESS_KEY": "s", "GITHUB_TOKEN": "s", "PGPASSWORD": "s", "DB_PASSWD": "s", "DB_PASS": "s", "MYSQL_PWD": "s", "OLDPWD": "/",
		"DATABASE_URL": "s", "GOOGLE_APPLICATION_CREDENTIALS": "s", "apiKey": "s", "CACHE": "redis://user:pw@host/0",
		"SITE": "https://example.com/a@b:c", "SMTP_AUTH": "s", "PASSENGER_APP_ENV": "x", "PASSENGER_NOTIFY_FD": "4",
	}
	want := map[string]string{
		"PATH": "/bin", "HOME": "/root", "RAILS_ENV": "production", "EMPTY": "", "WORKERS": "7",
		"SECRET_KEY_BASE": Redacted, "AWS_SECRET_ACCESS_KEY": Redacted, "GITHUB_TOKEN": Redacted, "PGPASSWORD": Redacted,
		"DB_PASSWD": Redacted, "DB_PASS": Redacted, "MYSQL_PWD": Redacted, "OLDPWD": "/", "DATABASE_URL": Redacted, "GOOGLE_APPLICATION_CREDENTIALS": Redacted,
		"apiKey": Redacted, "CACHE": Redacted, "SITE": "https://example.com/a@b:c", "SMTP_AUTH": Redacted,
		"PASSENGER_APP_ENV": "x", "PASSENGER_NOTIFY_FD": "4",
	}
	if diff := cmp.Diff(want, redact(env)); diff != "" {
		t.Error(diff)
	}
}

func TestRedactCommand(t *testing.T) {
	t.Parallel()
	got := redactCommand([]string{"/bin/sh", "-c", "exec env API_TOKEN='a b' PORT=1 ./serve --secret-key=abc --db=postgres://u:p@h/d --workers=2"})
	want := []string{"/bin/sh", "-c", "exec env API_TOKEN=[redacted] PORT=1 ./serve --secret-key=[redacted] --db=[redacted] --workers=2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEnvironmentOrder(t *testing.T) {
	t.Setenv("LC_TEST", "de")
	t.Setenv("UNRELATED", "x")
	t.Setenv("TMPDIR", "/var/tmp")
	env := environment(protocol.AppConfig{
		Environment: "test", BaseURI: "/shop", EnvVars: map[string]string{"NODE_ENV": "mine", "TMPDIR": "/own"},
	}, "/srv/shop", []string{"PYTHONPATH=/adapters", "NODE_ENV=adapter"}, account.User{Name: "shop", Home: "/home/shop", Shell: "/bin/zsh"})
	for name, want := range map[string]string{
		"LC_TEST": "de", "UNRELATED": "", "TMPDIR": "/own", "RACK_ENV": "test", "NODE_ENV": "mine", "PYTHONPATH": "/adapters",
		"USER": "shop", "LOGNAME": "shop", "HOME": "/home/shop", "SHELL": "/bin/zsh",
		"PWD": "/srv/shop", "PASSENGER_BASE_URI": "/shop", "RAILS_RELATIVE_URL_ROOT": "/shop",
	} {
		if env[name] != want {
			t.Errorf("%s: got %q, want %q", name, env[name], want)
		}
	}
}
