// Command pause is the one process of a pod's sandbox in the stand-in distribution, and the only program of its image: without
// arguments it waits to be ended, with arguments it prints them and ends, which makes it a workload for tests.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Println(strings.Join(os.Args[1:], " "))
		return
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
}
