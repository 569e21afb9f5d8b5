package descriptors

import (
	"context"
	"net"
	"testing"
)

// Row 32 of the fault matrix, as far as one process can try it without others
// in it running out; testscripts/full_descriptors does it in earnest.
func TestShortageOfDescriptorsIsOfClientsOnly(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var d Limit
	limit := d.read()
	if most := d.most.Load(); most <= limit/2 || most >= limit {
		t.Errorf("clients are left %d of %d descriptors", most, limit)
	}
	d.most.Store(1) // as if the limit had been low, and is raised
	if d.Short(nc) || d.most.Load() == 1 {
		t.Errorf("a limit of %d leaves none", limit)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	again := func() bool { return true }
	d.Await(ctx, l, again, again) // ends because there are enough
	if ctx.Err() != nil {
		t.Error("the wait was ended by nobody")
	}
}
