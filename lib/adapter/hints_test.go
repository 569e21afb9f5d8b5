package adapter

import (
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// A Django project whose style sheets nothing can serve is told so, at its start.
func TestDjangoIsToldOfStaticRoot(t *testing.T) {
	t.Parallel()
	const code = `
import django
from django.conf import settings
settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="urls", STATIC_URL="/static/", %s)
django.setup()
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
`
	apps := `INSTALLED_APPS=["django.contrib.staticfiles"]`
	for set, want := range map[string]bool{
		apps:                                   true,
		apps + `, STATIC_ROOT="public/static"`: false,
		`INSTALLED_APPS=[]`:                    false,
	} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			needPython(t, "django")
			root := writeApp(t, map[string]string{"passenger_wsgi.py": strings.Replace(code, "%s", set, 1), "urls.py": "urlpatterns = []\n"})
			p := startReady(t, Spec{Type: protocol.TypeWSGI, AppRoot: root, Interpreter: "/usr/bin/python3"})
			p.dial(t).do(t, request{})
			if got := strings.Contains(p.output.String(), "STATIC_ROOT is not set"); got != want {
				t.Errorf("told is %v, want %v; the output is %q", got, want, p.output)
			}
		})
	}
}
