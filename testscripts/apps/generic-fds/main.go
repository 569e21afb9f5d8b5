// Command generic-fds is an application that serves the socket it is handed
// (LISTEN_FDS) and says to nobody that it is ready.
package main

import (
	"log"
	"net"
	"os"
	"strconv"

	"passenger/testscripts/apps/internal/site"
)

// listenFD is where LISTEN_FDS begins.
const listenFD = 3

func main() {
	if os.Getenv("LISTEN_FDS") != "1" || os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		log.Fatal("no socket was handed to this process")
	}
	f := os.NewFile(listenFD, "listener")
	l, err := net.FileListener(f)
	if err != nil {
		log.Fatal(err)
	}
	f.Close()
	log.Printf("serving descriptor %d", listenFD)
	if err := site.Serve("generic-fds", l); err != nil {
		log.Fatal(err)
	}
}
