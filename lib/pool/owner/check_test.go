package owner

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckTellsAllThatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(path, text string) string {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("shop/config.ru", "")
	write("blog/config.ru", "")
	write("empty/index.html", "")
	write("blog/Passengerfile.json", `{"min_instances": 9, "static_mounts": {"/s/": "none", "/t/": "."}}`)
	one := write("apps.d/one.json", `{"app_root": "`+dir+`/shop"}`)
	two := write("apps.d/two.json", `{"app_root": "`+dir+`/blog"}`)
	typo := write("apps.d/typo.json", "{\n\"app_root\": \""+dir+"/shop\",\n\"min_instance\": 2,\n\"threads\": true}")
	empty := write("apps.d/empty.json", `{"app_root": "`+dir+`/empty", "base_uri": "/empty"}`)
	single := write("single.json", `{"app_root": "`+dir+`/gone"}`)

	faults := Files{Fixed: filepath.Join(dir, "apps.d")}.Check(6, single)
	var got []string
	for _, f := range faults {
		got = append(got, strings.Join([]string{f.File, string(rune('0' + f.Line)), f.Message[:min(40, len(f.Message))]}, "|"))
	}
	slices.Sort(got)
	want := []string{
		empty + `|0|app directory "` + (dir + "/empty")[:min(25, len(dir+"/empty"))],
		single + `|0|app directory "` + (dir + "/gone")[:min(25, len(dir+"/gone"))],
		two + `|0|` + (`apps "one" (` + dir)[:40],
		typo + `|3|unknown key "min_instance"; did you mean`,
		typo + `|4|key "threads" takes a whole number, not `,
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	_ = one // is right
	faults = Files{Named: []string{filepath.Join(dir, "blog")}}.Check(6)
	if len(faults) != 2 || !strings.Contains(faults[1].Message, `no directory "`+dir+`/blog/none" for "/s/"`) || !faults[1].Warning {
		t.Errorf("a mount of nothing: got %+v, want a warning", faults)
	}
	if !faults[0].Warning || !strings.Contains(faults[0].Message, "min_instances is 9") {
		t.Errorf("a minimum over the pool's maximum: got %+v, want a warning", faults)
	}
}
