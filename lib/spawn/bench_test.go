package spawn

import (
	"fmt"
	"log/slog"
	"testing"

	"passenger/lib/protocol"
)

// BenchmarkSpawn starts and stops a command that is ready at once: what we add
// to an app's own start.
func BenchmarkSpawn(b *testing.B) {
	was := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	b.Cleanup(func() { slog.SetDefault(was) })
	s, err := New(shortDir(b), Options{})
	if err != nil {
		b.Fatal(err)
	}
	config := protocol.AppConfig{
		Name: "app", AppRoot: b.TempDir(), StartCommand: "sh -c 'printf READY=1 >&4; exec sleep 600'",
	}
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("b%07d", i)
		if _, err := s.Spawn(b.Context(), request(id, config)); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if _, err := s.Stop(id, protocol.StopRequest{}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
