package adapter

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// rack.input does what a file of the same bytes does.
func TestRackInputIsLikeAFile(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	for seed := range 3 {
		out, err := exec.Command("ruby", filepath.Join("testdata", "input", "compare.rb"), absolute(t, "ruby"), fmt.Sprint(seed)).CombinedOutput()
		if strings.TrimSpace(string(out)) != "alike" || err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, out)
		}
	}
}

func absolute(t *testing.T, dir string) string {
	t.Helper()
	path, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Libraries that read rack.input as a file work, on a kept connection, whether
// or not a request has a body.
func TestRackInputServesLibraries(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"config.ru": `
		require "csv"
		run lambda { |env|
		  request = Rack::Request.new(env)
		  case request.path_info
		  when "/csv" then [200, {}, [CSV.new(request.body, headers: true).map(&:to_h).inspect]]
		  when "/form" then [200, {}, [request.POST["file"][:tempfile].read + request.body.size.to_s + request.body.tap(&:rewind).readpartial(2)]]
		  when "/each" then [200, {}, [request.body.each_line.map(&:size).inspect]]
		  end
		}`})
	s := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir}).dial(t)
	form := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\ncontent\r\n--x--\r\n"
	for _, c := range []struct {
		request
		want string
	}{
		{request{method: "POST", uri: "/csv", body: "a,b\n1,2\n"}, `[{"a"=>"1", "b"=>"2"}]`},
		{request{method: "POST", uri: "/csv", chunks: []string{"a,b\n1", ",2\n"}}, `[{"a"=>"1", "b"=>"2"}]`},
		{request{uri: "/csv"}, "[]"},
		{request{method: "POST", uri: "/form", body: form, env: map[string]string{"CONTENT_TYPE": "multipart/form-data; boundary=x"}}, fmt.Sprintf("content%d--", len(form))},
		{request{method: "POST", uri: "/each", body: "ab\nc"}, "[3, 1]"},
		{request{uri: "/each"}, "[]"},
	} {
		if got := s.do(t, c.request).body; got != c.want && got != strings.ReplaceAll(c.want, "=>", " => ") {
			t.Errorf("%s: got %q, want %q", c.uri, got, c.want)
		}
	}
}
