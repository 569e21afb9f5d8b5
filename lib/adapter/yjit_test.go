package adapter

import (
	"os/exec"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// fakeYJIT is a compiler that can be enabled late, as that of Ruby 3.3.
const fakeYJIT = `
RubyVM.send(:remove_const, :YJIT) if defined?(RubyVM::YJIT)
module RubyVM::YJIT
  def self.enabled? = !@enabled.nil?
  def self.enable = @enabled = true
end
`

const asksYJIT = `run lambda { |env| [200, {}, [(defined?(RubyVM::YJIT) && RubyVM::YJIT.enabled?).inspect]] }`

func TestRackYJIT(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	yes, no := true, false
	rails := "module Rails; def self.application = Struct.new(:config).new(Struct.new(:yjit).new(false)); end\n"
	for _, test := range []struct {
		name, app string
		wish      *bool
		want      string
	}{
		{"by default", fakeYJIT + asksYJIT, nil, "true"},
		{"asked for", fakeYJIT + asksYJIT, &yes, "true"},
		{"refused", fakeYJIT + asksYJIT, &no, "false"},
		{"by default, where Rails says no", fakeYJIT + rails + asksYJIT, nil, "false"},
		{"asked for, where Rails says no", fakeYJIT + rails + asksYJIT, &yes, "true"},
	} {
		dir := writeApp(t, map[string]string{"config.ru": test.app})
		p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir, YJIT: test.wish})
		if got := p.dial(t).do(t, request{}).body; got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// The real one: a Ruby that needs an option for it is started anew as the same
// process, and one that lacks it says so.
func TestRackRealYJIT(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	out, err := exec.Command("ruby", "-e", "p [!!defined?(RubyVM::YJIT), !!(defined?(RubyVM::YJIT) && RubyVM::YJIT.respond_to?(:enable))]").Output()
	if err != nil {
		t.Fatal(err)
	}
	there, later := strings.HasPrefix(string(out), "[true"), strings.Contains(string(out), ", true")
	yes := true
	dir := writeApp(t, map[string]string{"config.ru": asksYJIT})
	for _, test := range []struct {
		wish *bool
		want bool
	}{{nil, later}, {&yes, there}} {
		p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir, YJIT: test.wish})
		if got := p.dial(t).do(t, request{}).body; (got == "true") != test.want {
			t.Errorf("got %s, want %v, of a Ruby with %s", got, test.want, out)
		}
		if test.wish != nil && !there {
			p.awaitOutput(t, "has no YJIT")
		}
	}
}
