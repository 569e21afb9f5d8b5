package testscripts

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"strconv"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdCA starts Pebble, Let's Encrypt's authority for tests, at
// https://127.0.0.1:PORT/dir: ca PORT HTTP-PORT TLS-PORT. It finds every name
// on this machine, at the two ports. The root of its own certificate is in
// ca.pem.
func cmdCA(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: ca PORT HTTP-PORT TLS-PORT")
	}
	ports := [3]int{}
	for i, text := range args {
		var err error
		ports[i], err = strconv.Atoi(text)
		ts.Check(err)
	}
	names, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { names.Close() })
	resolver := &dns.Server{Listener: names, Handler: dns.HandlerFunc(everyNameIsHere)}
	go func() { _ = resolver.ActivateAndServe() }()

	memory, logger := db.NewMemoryStore(), log.New(io.Discard, "", 0)
	issuer := ca.New(logger, memory, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	validator := va.New(logger, ports[1], ports[2], false, names.Addr().String(), memory)
	front := wfe.New(logger, memory, validator, issuer, []string{"ca.test"}, false, false, 1, 1)
	server := httptest.NewUnstartedServer(front.Handler())
	server.Listener.Close()
	server.Listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", args[0]))
	ts.Check(err)
	server.StartTLS()
	ts.Defer(server.Close)
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), root, 0o600))
}

func everyNameIsHere(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	if q.Question[0].Qtype == dns.TypeA {
		header := dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}
		m.Answer = append(m.Answer, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
	}
	_ = w.WriteMsg(m) // who asked asks again
}
