package adapter

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passenger/lib/protocol"

	"github.com/google/go-cmp/cmp"
)

func TestInstallRepairsWhatIsMissingOrChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Install(dir)
	if err != nil {
		t.Fatal(err)
	}
	rack := filepath.Join(s.Dir(), "ruby", "rack.rb")
	wsgi := filepath.Join(s.Dir(), "python", "wsgi.py")
	want, err := os.ReadFile(rack)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rack, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(wsgi); err != nil {
		t.Fatal(err)
	}

	again, err := Install(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again != s {
		t.Errorf("second Install: got %v, want %v", again, s)
	}
	if got, _ := os.ReadFile(rack); string(got) != string(want) {
		t.Errorf("rack.rb was not repaired: %q", got)
	}
	if _, err := os.Stat(wsgi); err != nil {
		t.Errorf("wsgi.py was not written again: %v", err)
	}
}

func TestInstalledFilesMayBeReadByAll(t *testing.T) {
	t.Parallel()
	s, err := Install(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Dir(s.Dir()), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o644)
		if d.IsDir() {
			want = 0o755
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %o, want %o", path, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestInvocationNamesProgramAndStartupFile(t *testing.T) {
	t.Parallel()
	s := Set{dir: "/s"}
	tests := []struct {
		spec Spec
		want Invocation
	}{
		{Spec{Type: protocol.TypeRack}, Invocation{
			Args:     []string{"ruby", "/s/ruby/rack.rb", "config.ru"},
			Protocol: protocol.ProtocolSession, Concurrency: 1, Preloads: true,
		}},
		{Spec{Type: protocol.TypeWSGI, StartupFile: "app.py:app", Interpreter: "/v/bin/python"}, Invocation{
			Args:     []string{"/v/bin/python", "/s/python/wsgi.py", "app.py:app"},
			Protocol: protocol.ProtocolSession, Concurrency: 1, Preloads: true,
		}},
		{Spec{Type: protocol.TypeRack, Threads: 5}, Invocation{
			Args: []string{"ruby", "/s/ruby/rack.rb", "config.ru"}, Env: []string{"PASSENGER_THREADS=5"},
			Protocol: protocol.ProtocolSession, Concurrency: 5, Preloads: true,
		}},
		{Spec{Type: protocol.TypeRack, Preload: true}, Invocation{
			Args:     []string{"ruby", "/s/ruby/rack.rb", "--preload", "config.ru"},
			Protocol: protocol.ProtocolSession, Concurrency: 1, Preloads: true,
		}},
		{Spec{Type: protocol.TypeNode, StartupFile: "-e.mjs"}, Invocation{
			Args:     []string{"node", "--inspect-publish-uid=stderr", "--require", "/s/node/preload.cjs", "./-e.mjs"},
			Protocol: protocol.ProtocolHTTP,
		}},
	}
	for _, test := range tests {
		got, err := s.Invocation(test.spec)
		if err != nil {
			t.Errorf("%+v: %v", test.spec, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.spec, diff)
		}
	}
}

func TestGenericAppsHaveNoInvocation(t *testing.T) {
	t.Parallel()
	_, err := Set{dir: "/s"}.Invocation(Spec{Type: protocol.TypeGeneric})
	if err == nil || !strings.Contains(err.Error(), `"generic"`) {
		t.Errorf("got error %v, want one that names the type", err)
	}
}
