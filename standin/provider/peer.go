package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"strings"
	"time"

	"github.com/kairos-io/kairos-sdk/types/logger"
	"github.com/kairos-io/kairos-sdk/utils"
)

const (
	nodeTokenFile = "/var/lib/rancher/k3s/server/node-token"
	vpnInterface  = "edgevpn0"
	step          = 10 * time.Second
)

// bootstrapPeer sets up a node of a peer-to-peer network. The role must be in the configuration: the stand-in starts edgevpn and
// hands the server's address and token over its ledger, but does not take part in choosing roles.
func bootstrapPeer(log logger.KairosLogger, c config, api string) error {
	start := startAPI
	if c.P2P.createsVPN() {
		start = startVPN
	}
	if err := start(*c.P2P, api); err != nil {
		return err
	}
	l := openLedger(api, c.P2P.NetworkID)
	switch c.P2P.Role {
	case "master":
		return peerServer(log, c, l)
	case "worker":
		return peerAgent(log, c, l)
	case "", "auto":
		return fmt.Errorf("the stand-in provider negotiates no roles: set p2p.role to master or worker (edgevpn is started)")
	default:
		return fmt.Errorf("p2p.role %q: must be master or worker", c.P2P.Role)
	}
}

// peerServer starts the server once, then publishes its address and token for as long as kairos-agent lets it run.
func peerServer(log logger.KairosLogger, c config, l ledger) error {
	address := waitForAddress(log, c)
	if !sentinelExists() {
		var arguments []string
		if c.P2P.routesThroughVPN() {
			arguments = append(arguments, "--flannel-iface="+vpnInterface)
		}
		if err := startUnit("k3s", "server", c.K3s.arguments(arguments), c.K3s.Env); err != nil {
			return err
		}
		if err := writeSentinel(); err != nil {
			return err
		}
	}
	for ; ; time.Sleep(step) {
		token, err := os.ReadFile(nodeTokenFile)
		if err != nil {
			log.Infof("stand-in provider: no node token yet: %v", err)
			continue
		}
		for key, value := range map[string]string{"master-ip": address, "nodetoken": strings.TrimSpace(string(token))} {
			if err := l.set(key, value); err != nil {
				log.Infof("stand-in provider: publishing %s: %v", key, err)
			}
		}
	}
}

// peerAgent waits for a server's address and token in the ledger, then starts the agent once.
func peerAgent(log logger.KairosLogger, c config, l ledger) error {
	if sentinelExists() {
		log.Info("Node already configured, backing off")
		return nil
	}
	for ; ; time.Sleep(step) {
		server, err := l.get("master-ip")
		token, tokenErr := l.get("nodetoken")
		if err != nil || tokenErr != nil || server == "" || token == "" {
			log.Infof("stand-in provider: no server in the ledger yet (%v, %v)", err, tokenErr)
			continue
		}
		environment := map[string]string{"K3S_URL": "https://" + net.JoinHostPort(server, "6443"), "K3S_TOKEN": token}
		if c.K3sAgent.ReplaceEnv {
			environment = c.K3sAgent.Env
		} else {
			maps.Copy(environment, c.K3sAgent.Env)
		}
		arguments := []string{"--with-node-id", "--node-ip " + waitForAddress(log, c)}
		if c.P2P.routesThroughVPN() {
			arguments = append(arguments, "--flannel-iface="+vpnInterface)
		}
		if err := startUnit("k3s-agent", "agent", c.K3sAgent.arguments(arguments), environment); err != nil {
			return err
		}
		return writeSentinel()
	}
}

func (d distribution) arguments(own []string) []string {
	if d.ReplaceArgs {
		return d.Args
	}
	return append(own, d.Args...)
}

// waitForAddress returns the node's address in the network its Kubernetes uses: the VPN's, or that of the first interface.
func waitForAddress(log logger.KairosLogger, c config) string {
	for ; ; time.Sleep(step) {
		name := vpnInterface
		if !c.P2P.routesThroughVPN() {
			name = firstInterface()
		}
		if address := utils.GetInterfaceIP(name); address != "" {
			return address
		}
		log.Infof("stand-in provider: %s has no address yet", name)
	}
}

func firstInterface() string {
	interfaces, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, candidate := range interfaces {
		if candidate.Flags&net.FlagLoopback == 0 {
			return candidate.Name
		}
	}
	return ""
}
