// Command agent-provider-kairos is a stand-in for the provider plug-in of the same name: test equipment for machines that reach
// no release downloads. It answers the events of Kairos' plug-in protocol (github.com/mudler/go-pluggable: the event's name as
// first argument, the event as JSON on standard input, the response as JSON on standard output) as provider-kairos v2.16.4 was
// measured to, for k3s and for the part of p2p that needs no negotiation of roles.
package main

import (
	"fmt"
	"os"

	"github.com/kairos-io/kairos-sdk/bus"
	"github.com/mudler/go-pluggable"
)

// version is set with -ldflags "-X main.version=...".
var version = "v2.16.4-standin"

func main() {
	if len(os.Args) >= 2 && bus.IsEventDefined(os.Args[1]) {
		if err := handlers().Run(pluggable.EventType(os.Args[1]), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "agent-provider-kairos (stand-in): %v\n", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 2 && (os.Args[1] == "--version" || os.Args[1] == "-v" || os.Args[1] == "version") {
		fmt.Printf("agent-provider-kairos %s (stand-in)\n", version)
		return
	}
	fmt.Fprintf(os.Stderr, "agent-provider-kairos %s (stand-in): a plug-in of Kairos' event bus, test equipment\n", version)
	fmt.Fprintln(os.Stderr, "usage: agent-provider-kairos EVENT < EVENT.json")
	os.Exit(2)
}

// handlers answers what provider-kairos answers; events of pairing and recovery, which need its network services, say so.
func handlers() pluggable.PluginFactory {
	factory := pluggable.NewPluginFactory()
	factory.Add(bus.InitProviderInstall, install)
	factory.Add(bus.InitProviderInfo, info)
	factory.Add(bus.EventBootstrap, bootstrap)
	for _, event := range []pluggable.EventType{
		bus.EventInstall, bus.EventChallenge, bus.EventInteractiveInstall, bus.EventRecovery, bus.EventRecoveryStop,
	} {
		factory.Add(event, func(*pluggable.Event) pluggable.EventResponse {
			return failure("the stand-in provider does not answer %s", event)
		})
	}
	return factory
}

func failure(format string, values ...any) pluggable.EventResponse {
	return pluggable.EventResponse{Error: fmt.Sprintf(format, values...)}
}
