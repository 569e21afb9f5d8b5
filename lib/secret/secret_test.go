package secret

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"PATH": "/bin", "HOME": "/root", "RAILS_ENV": "production", "EMPTY": "", "WORKERS": "7",
		"SECRET_KEY_BASE": "s", "AWS_SECRET_ACCESS_KEY": "s", "GITHUB_TOKEN": "s", "PGPASSWORD": "s", "DB_PASSWD": "s", "DB_PASS": "s", "MYSQL_PWD": "s", "DB_PW": "s", "OLDPWD": "/",
		"DATABASE_URL": "s", "GOOGLE_APPLICATION_CREDENTIALS": "s", "apiKey": "s", "CACHE": "redis://user:pw@host/0",
		"SITE": "https://example.com/a@b:c", "SMTP_AUTH": "s", "PASSENGER_APP_ENV": "x", "PASSENGER_NOTIFY_FD": "4",
	}
	want := map[string]string{
		"PATH": "/bin", "HOME": "/root", "RAILS_ENV": "production", "EMPTY": "", "WORKERS": "7",
		"SECRET_KEY_BASE": Hidden, "AWS_SECRET_ACCESS_KEY": Hidden, "GITHUB_TOKEN": Hidden, "PGPASSWORD": Hidden,
		"DB_PASSWD": Hidden, "DB_PASS": Hidden, "MYSQL_PWD": Hidden, "DB_PW": Hidden, "OLDPWD": "/",
		"DATABASE_URL": Hidden, "GOOGLE_APPLICATION_CREDENTIALS": Hidden,
		"apiKey": Hidden, "CACHE": Hidden, "SITE": "https://example.com/a@b:c", "SMTP_AUTH": Hidden,
		"PASSENGER_APP_ENV": "x", "PASSENGER_NOTIFY_FD": "4",
	}
	if diff := cmp.Diff(want, Environment(env)); diff != "" {
		t.Error(diff)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	got := Command([]string{"/bin/sh", "-c", "exec env API_TOKEN='a b' PORT=1 ./serve --secret-key=abc --db=postgres://u:p@h/d --workers=2"})
	want := []string{"/bin/sh", "-c", "exec env API_TOKEN=[redacted] PORT=1 ./serve --secret-key=[redacted] --db=[redacted] --workers=2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"RAILS_ENV": "production", "PWD": "/srv/shop", "APP_KEY": "abcdef", "PIN_TOKEN": "1234", "SECRET_ENV": "production",
		"CACHE": "redis://user:p@ss:word@host/0", "PRIVATE_PEM": "-----BEGIN-----\r\nMIIEvQIBADAN\n-----END-----\n",
		"STRIPE": "sk_live_1", "SHORT": "seven77", "ROOT": "/srv/shop", "LONG_KEY": "abcdef-and-more",
		"OPTIONS": "--key abcdef",
	}
	s := Of(env, []string{"STRIPE", "SHORT", "ROOT"})
	for text, want := range map[string]string{
		"key abcdef, pin 1234, in production":             "key [redacted], pin 1234, in production",
		"sk_live_1 seven77 /srv/shop":                     "[redacted] seven77 /srv/shop",
		"cannot connect to redis://user:p@ss:word@host/0": "cannot connect to [redacted]",
		"password p@ss:word is wrong":                     "password [redacted] is wrong",
		"xMIIEvQIBADANx":                                  "x[redacted]x",
		"abcdef-and-more":                                 "[redacted]",
	} {
		if got := s.Text(text); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	shown := s.Environment(env)
	for name, want := range map[string]string{"STRIPE": Hidden, "SHORT": Hidden, "ROOT": Hidden, "PIN_TOKEN": Hidden, "PWD": "/srv/shop", "OPTIONS": "--key [redacted]"} {
		if shown[name] != want {
			t.Errorf("%s: got %q, want %q", name, shown[name], want)
		}
	}
	if got := (Set{}).Lines([]string{"a"}); got[0] != "a" {
		t.Errorf("no secrets: got %q", got)
	}
}
