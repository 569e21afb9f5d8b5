// Command generic-port is an application that knows nothing of what runs it
// but the port: it listens on 127.0.0.1:$PORT.
package main

import (
	"log"
	"net"
	"os"

	"passenger/testscripts/apps/internal/site"
)

func main() {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", os.Getenv("PORT")))
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", l.Addr())
	if err := site.Serve("generic-port", l); err != nil {
		log.Fatal(err)
	}
}
