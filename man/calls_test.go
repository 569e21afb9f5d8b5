package man_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"passenger/lib/control"
	"passenger/lib/pool/owner"
	"passenger/lib/protocol"
	"passenger/lib/proxy"
	"passenger/lib/spawn"
)

// TestCalls compares the table of each daemon's calls with
// passenger-protocol(7).
func TestCalls(t *testing.T) {
	t.Parallel()
	text := page(t, "passenger-protocol.7")
	common := (&control.Server{}).Calls()
	for section, register := range map[string]func(*control.Server){
		"every daemon": nil,
		"the spawner":  func(s *control.Server) { new(spawn.Spawner).Register(t.Context(), s) },
		"the pool":     new(owner.Owner).Register,
		"the proxy":    func(s *control.Server) { new(proxy.Proxy).Register(s, nil) },
	} {
		t.Run(section, func(t *testing.T) {
			t.Parallel()
			calls := common
			if register != nil {
				s := &control.Server{}
				register(s)
				calls = s.Calls()[len(common):]
			}
			sorted := cmpopts.SortSlices(func(a, b protocol.Call) bool { return a.Path+a.Method < b.Path+b.Method })
			if diff := cmp.Diff(calls, callsOf(text, section), sorted); diff != "" {
				t.Errorf("the page differs (-program +page):\n%s", diff)
			}
		})
	}
}

var (
	callItem = regexp.MustCompile(`(?m)^\.It Li ([A-Z]+) (/.*)$`)
	argument = regexp.MustCompile(` Ns Ar ([A-Z]+)(?: Ns Li )?`)
)

// callsOf reads the calls that a section of the page describes.
func callsOf(text, section string) []protocol.Call {
	_, text, _ = strings.Cut(text, ".Ss Calls of "+section+"\n")
	text, _, _ = strings.Cut(text, "\n.Ss ")
	var calls []protocol.Call
	items := callItem.FindAllStringSubmatchIndex(text, -1)
	for i, at := range items {
		end := len(text)
		if i+1 < len(items) {
			end = items[i+1][0]
		}
		c := protocol.Call{Method: text[at[2]:at[3]], Access: protocol.Changes}
		c.Path = argument.ReplaceAllStringFunc(text[at[4]:at[5]], func(s string) string {
			return "{" + strings.ToLower(argument.FindStringSubmatch(s)[1]) + "}"
		})
		if c.Method == "GET" {
			c.Access = protocol.Reads
		}
		c.Watch = strings.Contains(text[at[1]:end], "\nIt can be watched.\n")
		calls = append(calls, c)
	}
	return calls
}
