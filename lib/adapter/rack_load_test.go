package adapter

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

func TestRackAppsThatDoNotLoad(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	tests := []struct {
		name     string
		files    map[string]string
		env      string
		category protocol.Category
		summary  string // a regular expression
		advice   string // what it contains
		output   string // what it contains
		status   int
	}{
		{
			name:     "syntax error",
			files:    map[string]string{"config.ru": "run ->(env) {\n  [200, {}, [}\n}\n"},
			category: protocol.CategorySyntax,
			summary:  `^syntax error in config\.ru, line 2: unexpected '}'`,
			advice:   "Correct config.ru, line 2.", output: "SyntaxError", status: 1,
		}, {
			name:     "syntax error in a required file",
			files:    map[string]string{"config.ru": "require_relative 'lib/shop'", "lib/shop.rb": "class Shop\n"},
			category: protocol.CategorySyntax,
			summary:  `^syntax error in lib/shop\.rb, line 1: unexpected end-of-input`, status: 1,
		}, {
			name:     "missing gem",
			files:    map[string]string{"config.ru": "\nrequire 'no_such/thing'\nrun 1"},
			category: protocol.CategoryDependency,
			summary:  `^"no_such/thing" cannot be loaded at config\.ru:2: a gem is missing$`,
			advice:   "gem install no_such-thing", output: "cannot load such file -- no_such/thing (LoadError)", status: 1,
		}, {
			name:     "missing gem, asked for by name",
			files:    map[string]string{"config.ru": "gem 'no_such'"},
			category: protocol.CategoryDependency,
			summary:  `^the gem "no_such" cannot be used: `, advice: "gem install no_such", status: 1,
		}, {
			name:     "missing file",
			files:    map[string]string{"config.ru": "require_relative 'lib/none'"},
			category: protocol.CategoryDependency,
			summary:  `^the file "lib/none", which the app requires, cannot be loaded at config\.ru:1$`, status: 1,
		}, {
			name:     "missing gem in the Gemfile",
			files:    map[string]string{"config.ru": "run 1", "Gemfile": "source 'https://rubygems.org'\ngem 'no-such'"},
			category: protocol.CategoryDependency,
			summary:  `^the gem "no-such" is not installed$`, advice: `run "bundle install" in `, status: 1,
		}, {
			name:     "Rack is not in the Gemfile",
			files:    map[string]string{"config.ru": "run 1", "Gemfile": ""},
			category: protocol.CategoryDependency,
			summary:  `^"rack" cannot be loaded: a gem is missing$`, advice: "Add the gem to Gemfile", status: 1,
		}, {
			name:     "syntax error in the Gemfile",
			files:    map[string]string{"config.ru": "run 1", "Gemfile": "gem 'rack'\ngem '"},
			category: protocol.CategorySyntax,
			summary:  `^syntax error in Gemfile, line 2: `, status: 1,
		}, {
			name:     "another Ruby in the Gemfile",
			files:    map[string]string{"config.ru": "run 1", "Gemfile": "ruby '1.9.3'"},
			category: protocol.CategoryInterpreter,
			summary:  `^Your Ruby version is .*1\.9\.3`, advice: `Set "ruby" in Passengerfile.json`, status: 1,
		}, {
			name:     "missing Gemfile",
			files:    map[string]string{"config.ru": "run 1"},
			env:      "BUNDLE_GEMFILE=/nonexistent/Gemfile",
			category: protocol.CategoryDependency,
			summary:  `/nonexistent/Gemfile`, status: 1,
		}, {
			name:     "exception",
			files:    map[string]string{"config.ru": "\n\nraise ArgumentError, %(no \"port\"\\nsecond line \\u0007)"},
			category: protocol.CategoryApp,
			summary:  `^the app raised ArgumentError at config\.ru:3: no "port"$`, output: "second line", status: 1,
		}, {
			name:     "exception below a gem",
			files:    map[string]string{"config.ru": "[1].each { |x| Integer('x') }"},
			category: protocol.CategoryApp,
			summary:  `^the app raised ArgumentError at config\.ru:1: invalid value for Integer\(\): "x"$`, status: 1,
		}, {
			name:     "no app",
			files:    map[string]string{"config.ru": "# nothing\n"},
			category: protocol.CategoryApp,
			summary:  `missing run or map statement`, status: 1,
		}, {
			name:     "app without call",
			files:    map[string]string{"config.ru": "run 7\n"},
			category: protocol.CategoryApp,
			summary:  `gives no Rack app: 7 has no method call$`, status: 1,
		}, {
			name:     "permission",
			files:    map[string]string{"config.ru": "\nraise Errno::EACCES, 'open /etc/secret'"},
			category: protocol.CategoryPermission,
			summary:  `^the app was refused something by the system: Permission denied.* at config\.ru:2$`, status: 1,
		}, {
			name:     "exit",
			files:    map[string]string{"config.ru": "warn 'no database'\nexit 3\n"},
			category: protocol.CategoryExit,
			summary:  `^the app called exit with status 3 while it was loading at config\.ru:2$`, output: "no database", status: 3,
		}, {
			name:     "not UTF-8 and long",
			files:    map[string]string{"config.ru": "raise %(\\xff) + %(\\x01) * 100_000"},
			category: protocol.CategoryApp,
			summary:  "^the app raised RuntimeError at config.ru:1: \ufffd\x01+$", status: 1,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, Spec{Type: protocol.TypeRack, AppRoot: writeApp(t, test.files)}, test.env)
			report, ok := strings.CutPrefix(p.notice(t), "X_PASSENGER_ERROR=")
			if !ok {
				t.Fatalf("got %q, want an error", report)
			}
			var got protocol.SpawnError
			if err := json.Unmarshal([]byte(report), &got); err != nil {
				t.Fatalf("%v in %s", err, report)
			}
			if got.Category != test.category {
				t.Errorf("got category %q, want %q", got.Category, test.category)
			}
			if !regexp.MustCompile(test.summary).MatchString(got.Summary) {
				t.Errorf("got summary %q, want %s", got.Summary, test.summary)
			}
			if !strings.Contains(got.Advice, test.advice) {
				t.Errorf("got advice %q, want %q in it", got.Advice, test.advice)
			}
			if status := p.wait(t); status != test.status {
				t.Errorf("got exit status %d, want %d", status, test.status)
			}
			if !strings.Contains(p.output.String(), test.output) {
				t.Errorf("output lacks %q:\n%s", test.output, p.output)
			}
		})
	}
}

func TestRackRefusesToStartWithoutASocket(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	set, err := Install(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	inv, err := set.Invocation(Spec{Type: protocol.TypeRack})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(inv.Args[0], inv.Args[1:]...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "start it through passenger-spawn") {
		t.Errorf("got error %v and %q", err, out)
	}
}

// What we load before the bundle is set up is what the app cannot choose the
// version of.
func TestRackActivatesNoGemBeforeTheBundle(t *testing.T) {
	t.Parallel()
	need(t, "bundle")
	dir := writeApp(t, map[string]string{
		"Gemfile": `source "https://rubygems.org"
			gem "rack"
			libs = $LOADED_FEATURES.map { |f| File.basename(f, ".*") } & %w[json socket stringio set logger strscan tempfile wait]
			$stderr.puts "activated #{Gem.loaded_specs.keys.sort} loaded #{libs}"`,
		"config.ru": `run ->(env) { [200, {}, [Gem.loaded_specs.keys.sort.join(" ")]] }`,
	})
	lock := exec.Command("bundle", "lock", "--local")
	lock.Dir = dir
	if out, err := lock.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	plain := exec.Command("ruby", "-e", `require "bundler/setup"`)
	plain.Dir = dir
	want, err := plain.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, want)
	}

	p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir})
	if got := p.output.String(); got != string(want) {
		t.Errorf("got %q, want as without us: %q", got, want)
	}
	resp := p.dial(t).do(t, request{})
	if !strings.Contains(resp.body, "bundler") || strings.Contains(resp.body, "io-wait") {
		t.Errorf("got gems %s, want the bundle's own", resp.body)
	}
}

func TestRackupFilesOfOtherNames(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	app := "# frozen_string_literal: true\nrun ->(env) { [200, {}, [\"#{''.frozen?} #{File.basename(__FILE__)} #{__LINE__} #{__dir__}\"]] }\n__END__\nnot Ruby"
	for _, name := range []string{"config.ru", "other.ru", "sub/passenger.rackup"} {
		app := app
		if !strings.HasSuffix(name, ".ru") {
			app = strings.TrimSuffix(app, "__END__\nnot Ruby")
		}
		dir := writeApp(t, map[string]string{name: app})
		p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir, StartupFile: name})
		want := "true " + filepath.Base(name) + " 2 " + filepath.Dir(filepath.Join(dir, name))
		if resp := p.dial(t).do(t, request{}); resp.body != want {
			t.Errorf("%s: got %q, want %q", name, resp.body, want)
		}
	}
}

// Rack 3 is not in Debian 12. The stub has what the adapter uses of it.
const rack3 = `
module Rack
  def self.release = "3.1.8"
  module Utils
    HTTP_STATUS_CODES = { 200 => "OK", 101 => "Switching Protocols" }.freeze
  end
  class Builder
    def self.parse_file(path, **options)
      builder = new
      builder.instance_eval(File.read(path), path)
      builder.app
    end
    attr_reader :app
    def run(app) = @app = app
  end
end
`

func TestRack3(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"lib/rack.rb": rack3, "config.ru": `
		run lambda { |env|
		  input = env["rack.input"]
		  text = ->(body, headers = {}) { [200, { "content-type" => "text/plain" }.merge(headers), body] }
		  case env["PATH_INFO"]
		  when "/env"
		    text.([%w[HTTP_VERSION rack.version].map { |k| "#{k}=#{env[k].inspect}" }.join(" ") +
		      " rewind=#{input.respond_to?(:rewind)} protocol=#{env["rack.protocol"].inspect}"])
		  when "/headers" then text.(["x"], "set-cookie" => ["a=1", "b=2"], "content-length" => "1")
		  when "/stream" then text.(->(stream) { 3.times { |i| stream.write("p#{i} ") }; stream << "end"; stream.close })
		  when "/later"
		    text.(lambda { |stream| Thread.new { sleep 0.05; stream.write("later"); stream.close } })
		  when "/duplex"
		    text.(lambda { |stream| while (part = stream.read(3)) do stream.write(part.upcase) end; stream.close })
		  when "/fails" then text.(->(stream) { stream.write("begun"); raise "in the stream" })
		  when "/protocol"
		    [200, { "rack.protocol" => env["rack.protocol"].last, "rack.other" => "x" }, ->(stream) { stream.write("raw"); stream.close }]
		  when "/to_ary_of_none"
		    body = Object.new
		    def body.each = 2.times { |i| yield "e#{i}" }
		    def body.to_ary = nil
		    text.(body)
		  when "/upgrade"
		    [101, { "upgrade" => "echo", "connection" => "upgrade" },
		      ->(stream) { Thread.new { stream.write(stream.readpartial(100).upcase); stream.close } }]
		  when "/enumerator" then text.(Enumerator.new { |out| 2.times { |i| out << "e#{i}" } })
		  when "/to_ary"
		    body = Object.new
		    def body.each = raise("each is not asked for")
		    def body.to_ary = %w[a b]
		    text.(body)
		  else text.([input.read.to_s])
		  end
		}`})
	p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir}, "RUBYLIB="+filepath.Join(dir, "lib"))
	s := p.dial(t)
	for _, test := range []struct {
		request
		body   string
		length int64
	}{
		{request{method: "POST", uri: "/env", body: "x"}, "HTTP_VERSION=nil rack.version=nil rewind=true protocol=nil", 58},
		{request{uri: "/headers"}, "x", 1},
		{request{uri: "/enumerator"}, "e0e1", -1},
		{request{uri: "/to_ary"}, "ab", 2},
		{request{uri: "/to_ary_of_none"}, "e0e1", -1},
		{request{method: "POST", uri: "/", body: pattern(300000)}, pattern(300000), 300000},
		{request{uri: "/stream"}, "p0 p1 p2 end", -1},
		{request{method: "POST", uri: "/duplex", chunks: []string{"ab", "cdef", "g"}}, "ABCDEFG", -1},
		{request{uri: "/later"}, "later", -1},
	} {
		resp := s.do(t, test.request)
		if resp.Close {
			s.closed(t) // by the stream, which may outlive its call
			s = p.dial(t)
		}
		if resp.StatusCode != 200 || resp.body != test.body || resp.ContentLength != test.length {
			t.Errorf("%s: got %d %.60q of length %d, want %.60q of length %d",
				test.uri, resp.StatusCode, resp.body, resp.ContentLength, test.body, test.length)
		}
		if cookies := resp.Header.Values("Set-Cookie"); test.uri == "/headers" && len(cookies) != 2 {
			t.Errorf("got cookies %q, want two", cookies)
		}
	}

	s = p.dial(t)
	s.send(request{uri: "/fails"})
	if resp := s.receive(t, "GET"); resp.err == nil || resp.body != "begun" {
		t.Errorf("/fails: got a whole body %q, want one that breaks off", resp.body)
	}
	s.closed(t)
	p.awaitOutput(t, "in the stream (RuntimeError)")

	s = p.dial(t)
	s.send(request{uri: "/upgrade"})
	if resp := s.receive(t, "GET"); resp.StatusCode != 199 {
		t.Errorf("/upgrade: got %d, want 199 first", resp.StatusCode)
	}
	if resp := s.receive(t, "GET"); resp.StatusCode != 101 || resp.Header.Get("Connection") != "upgrade" {
		t.Errorf("/upgrade: got %d %v", resp.StatusCode, resp.Header)
	}
	s.Write([]byte("raw"))
	got := make([]byte, 3)
	if _, err := s.r.Read(got); err != nil || string(got) != "RAW" {
		t.Errorf("/upgrade: got %q and error %v, want RAW", got, err)
	}
	s.closed(t)

	s = p.dial(t)
	s.send(request{uri: "/protocol", env: map[string]string{"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "a, echo"}})
	s.receive(t, "GET")
	if resp := s.receive(t, "GET"); resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "echo" || len(resp.Header) != 2 {
		t.Errorf("/protocol: got %d %v", resp.StatusCode, resp.Header)
	}
	if got, err := io.ReadAll(s.r); string(got) != "raw" || err != nil {
		t.Errorf("/protocol: got %q, %v", got, err)
	}
}

func TestRackKeepsLongBodiesInTheTemporaryDirectory(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	tmp := t.TempDir()
	dir := writeApp(t, map[string]string{"config.ru": `
		run lambda { |env|
		  env["rack.input"].read
		  files = Dir["/proc/self/fd/*"].map { |f| File.readlink(f) rescue "" }.grep(/\A#{ENV["TMPDIR"]}.*\(deleted\)/)
		  [200, {}, ["#{files.size} #{Dir.children(ENV["TMPDIR"]).size}"]]
		}`})
	p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir}, "TMPDIR="+tmp)
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip(err)
	}
	s := p.dial(t)
	for range 2 { // the first one's file is gone by the second
		if resp := s.do(t, request{method: "POST", body: pattern(1 << 20)}); resp.body != "1 0" {
			t.Errorf("got %q open and named files, want 1 and 0", resp.body)
		}
	}
}
