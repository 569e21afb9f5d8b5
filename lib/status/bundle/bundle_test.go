package bundle

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status"
)

func TestSecretsLeaveNothing(t *testing.T) {
	t.Parallel()
	const password = `pa"ss<wor\d&`
	s := status.Snapshot{Apps: &protocol.AppList{Apps: []protocol.App{{Name: "shop", Config: protocol.AppConfig{EnvVars: map[string]string{"DB_PASSWORD": password, "MODE": "quiet"}}}}}}
	c := &collection{secrets: secretsOf(s)}
	c.text("log", "connects with "+password+" now")
	c.json("requests", []protocol.Request{{Path: "/" + password}})
	c.json("apps", c.secrets.apps(*s.Apps))
	for _, f := range c.files {
		if text := string(f.Content); strings.Contains(text, "wor") || strings.Contains(text, "quiet") || !strings.Contains(text, "[redacted]") {
			t.Errorf("%s: got %s", f.Name, text)
		}
	}
	if s.Apps.Apps[0].Config.EnvVars["DB_PASSWORD"] != password {
		t.Error("the snapshot was changed")
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := Write(&b, []File{{"a.txt", []byte("A")}, {"logs/b.txt", []byte("BB")}}, "bundle", time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r)
		got = append(got, h.Name+"="+string(text))
	}
	if want := "bundle/a.txt=A bundle/logs/b.txt=BB"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
