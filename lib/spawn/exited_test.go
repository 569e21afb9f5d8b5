package spawn

import (
	"fmt"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/spawn/process"
)

// An app that dies again and again does not make the list long.
func TestListShowsTheNewestExits(t *testing.T) {
	t.Parallel()
	s := &Spawner{}
	for i := range 3 * mostExited {
		s.processes = append(s.processes, process.New("", protocol.Process{
			ID: fmt.Sprint(i), PID: i + 1, App: "shop", State: protocol.Exited,
			Exit: &protocol.Exit{At: time.Now(), Output: []string{"last words"}},
		}, nil, nil))
	}
	s.processes = append(s.processes, process.New("", protocol.Process{ID: "runs", PID: 9999, App: "shop"}, nil, nil))
	s.publish()
	list := s.feed.Get().Processes
	if len(list) != mostExited+1 || list[mostExited].ID != "runs" || list[0].ID != fmt.Sprint(2*mostExited) {
		t.Fatalf("got %d from %q to %q", len(list), list[0].ID, list[len(list)-1].ID)
	}
	for i, p := range list[:mostExited] {
		if told := len(p.Exit.Output) > 0; told != (i == mostExited-1) {
			t.Errorf("process %s tells what it wrote: %v", p.ID, told)
		}
	}
}
