// go-containerregistry's registry on a loopback port, with the referrers API, which `crane registry serve` has no flag for. It says where it listens
// and serves until it is ended.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(http.Serve(listener, registry.New(registry.WithReferrersSupport(true)))) //nolint:gosec // a test's
}
