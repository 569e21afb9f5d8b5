package adapter

import (
	"fmt"
	"io"
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

// A thread that reads the body while its request ends, or later, gets neither
// the next request nor a part of the body that passes for the whole.
func TestRackInputOfARequestThatIsOver(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"config.ru": `
		kept = nil
		run lambda { |env|
		  input = env["rack.input"]
		  case env["PATH_INFO"]
		  when "/reading"
		    reader = Thread.new { input.read }
		    Thread.pass until reader.status == "sleep"
		  when "/keep" then kept = input
		  when "/begin" then (kept = input).read(3)
		  when "/read" then next [200, {}, [begin kept.rewind; kept.read; rescue IOError => e; e.message; end]]
		  end
		  [200, {}, ["served"]]
		}`})
	p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir})

	s := p.dial(t)
	half := request{method: "POST", uri: "/reading", body: strings.Repeat("x", 100)}.bytes()
	io.WriteString(s, half[:len(half)-50])
	if got := s.receive(t, "POST"); got.body != "served" {
		t.Errorf("got %q", got.body)
	}
	s.closed(t)

	s = p.dial(t)
	for _, keep := range []string{"/keep", "/begin"} {
		s.do(t, request{method: "POST", uri: keep, body: strings.Repeat("x", 20_000)})
		if got := s.do(t, request{uri: "/read"}).body; !strings.Contains(got, "answered before its body was read") {
			t.Errorf("%s: got %q of a body that is gone, want an error", keep, got)
		}
	}

}
