// Command pause holds the namespaces of a pod in the tests, as the image "pause" does
// in a cluster that has a registry.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
}
