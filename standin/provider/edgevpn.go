package main

import (
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/kairos-io/kairos-sdk/machine/systemd"
	"github.com/kairos-io/kairos-sdk/utils"
)

const (
	defaultAPI      = "unix:///run/edgevpn-kairos.sock"
	edgevpnEnvFile  = "/etc/systemd/system.conf.d/edgevpn-kairos.env"
	edgevpnUnitBody = `[Unit]
Description=EdgeVPN (set up by the stand-in provider)
After=network.target
[Service]
EnvironmentFile=%s
LimitNOFILE=49152
ExecStart=edgevpn%s
Restart=always
[Install]
WantedBy=multi-user.target
`
)

// startVPN runs edgevpn as edgevpn@kairos.service, an interface with an address of its own, and its API.
func startVPN(p p2p, api string) error {
	variables := edgevpnVariables(p, api)
	variables["API"] = "true"
	variables["DHCP"] = "true"
	variables["DHCPLEASEDIR"] = "/usr/local/.kairos/lease"
	return startEdgevpn(p, variables, "", systemd.WithInstance("kairos"))
}

// startAPI runs edgevpn as edgevpn.service without an interface: only the ledger that nodes talk over.
func startAPI(p p2p, api string) error {
	return startEdgevpn(p, edgevpnVariables(p, api), " api --enable-healthchecks")
}

func edgevpnVariables(p p2p, api string) map[string]string {
	variables := map[string]string{"APILISTEN": listenAddress(api)}
	if p.NetworkToken != "" {
		variables["EDGEVPNTOKEN"] = p.NetworkToken
	}
	if p.DisableDHT {
		variables["EDGEVPNDHT"] = "false"
	}
	return variables
}

func startEdgevpn(p p2p, variables map[string]string, arguments string, options ...systemd.ServiceOpts) error {
	maps.Copy(variables, p.VPN.Env)
	if err := os.MkdirAll("/etc/systemd/system.conf.d", 0o755); err != nil {
		return err
	}
	if err := utils.WriteEnv(edgevpnEnvFile, variables); err != nil {
		return fmt.Errorf("writing %s: %w", edgevpnEnvFile, err)
	}
	service, err := systemd.NewService(append(options,
		systemd.WithName("edgevpn"),
		systemd.WithUnitContent(fmt.Sprintf(edgevpnUnitBody, edgevpnEnvFile, arguments)))...)
	if err != nil {
		return err
	}
	if err := service.WriteUnit(); err != nil {
		return fmt.Errorf("writing the unit of edgevpn: %w", err)
	}
	if err := service.Start(); err != nil {
		return fmt.Errorf("starting edgevpn: %w", err)
	}
	return service.Enable()
}

// listenAddress turns the address of an API into what edgevpn listens on: HOST:PORT, or unix://PATH as it is.
func listenAddress(api string) string {
	if api == "" {
		return defaultAPI
	}
	return strings.TrimPrefix(strings.TrimPrefix(api, "https://"), "http://")
}
