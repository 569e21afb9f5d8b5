package accesslog

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"passenger/lib/http1"
)

// BenchmarkAdd measures a line, and with it what writing it costs: cpu-ns/op is the
// time of all threads.
func BenchmarkAdd(b *testing.B) {
	r := &Record{Request: &http1.Request{}, ID: []byte("0123456789abcdef0123456789abcdef"), Addr: []byte("127.0.0.1"), Began: time.Now(), Took: time.Millisecond, Status: 200, Bytes: 12, App: "hello", Process: "ab12cd34", PID: 12345}
	r.Request.Reset()
	if done, err := r.Request.Parse([]byte("GET /articles/17?page=3 HTTP/1.1\r\nHost: www.example.com:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nReferer: https://www.example.com/articles?page=3\r\n\r\n")); !done || err != nil {
		b.Fatal(done, err)
	}
	for _, format := range []Format{Common, Combined, JSON} {
		b.Run(string(format), func(b *testing.B) {
			l, err := Open(filepath.Join(b.TempDir(), "log"), format)
			if err != nil {
				b.Fatal(err)
			}
			before := cpu()
			for b.Loop() {
				if l.Add(r); len(l.lines) >= logFlush {
					l.flush()
				}
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(l.Missing())/float64(b.N), "missing/op")
		})
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // of this very process
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
