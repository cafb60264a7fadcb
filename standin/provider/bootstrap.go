package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kairos-io/kairos-sdk/bus"
	"github.com/kairos-io/kairos-sdk/machine/systemd"
	"github.com/kairos-io/kairos-sdk/types/logger"
	"github.com/kairos-io/kairos-sdk/utils"
	"github.com/mudler/go-pluggable"
)

// deployed marks a node that was set up; later boots rely on the enabled unit alone.
const deployed = "/usr/local/.kairos/deployed"

// bootstrap answers agent.bootstrap, which kairos-agent sends at each boot once the network is up.
func bootstrap(event *pluggable.Event) pluggable.EventResponse {
	payload := bus.BootstrapPayload{}
	if err := json.Unmarshal([]byte(event.Data), &payload); err != nil {
		return failure("Failed reading JSON input: %v", err)
	}
	c, err := parseConfig(payload.Config)
	if err != nil {
		return failure("%v", err)
	}
	if c.P2P == nil && !c.kubernetes() {
		return pluggable.EventResponse{State: "no P2P or kubernetes configured"}
	}
	_, _ = utils.SH("kairos-agent run-stage kairos-agent.bootstrap")
	_ = bus.RunHookScript("/usr/bin/kairos-agent.bootstrap.hook")

	log := logger.NewKairosLogger("provider", "debug", false)
	log.Info("stand-in provider: bootstrap")
	api := payload.APIAddress
	if fromEnvironment := os.Getenv("EDGEVPN_API"); fromEnvironment != "" {
		api = fromEnvironment
	}
	switch {
	case c.once():
		err = bootstrapOnce(log, c, api)
	case c.P2P != nil && c.P2P.NetworkToken != "":
		err = bootstrapPeer(log, c, api)
	default:
		err = fmt.Errorf("no network token provided, or kubernetes distribution (k3s) block configured")
	}
	if err != nil {
		return failure("Failed setup: %v", err)
	}
	return pluggable.EventResponse{}
}

// bootstrapOnce writes the unit's override and environment, starts and enables it, and leaves the sentinel.
func bootstrapOnce(log logger.KairosLogger, c config, api string) error {
	if sentinelExists() {
		log.Info("Sentinel exists, nothing to do. exiting.")
		return nil
	}
	node, role, unit := c.K3s, "server", "k3s"
	if !c.K3s.enabled() {
		node, role, unit = c.K3sAgent, "agent", "k3s-agent"
	}
	arguments := node.Args
	if c.K3s.enabled() && node.EmbeddedRegistry {
		arguments = append(arguments, "--embedded-registry")
	}
	if err := startUnit(unit, role, arguments, node.Env); err != nil {
		return err
	}
	if c.P2P != nil && c.P2P.createsVPN() {
		if err := startVPN(*c.P2P, api); err != nil {
			return err
		}
	}
	return writeSentinel()
}

// startUnit configures a unit of the distribution as provider-kairos does: an override of its command in
// /etc/systemd/system, variables in /etc/sysconfig; then starts it without waiting, and enables it.
func startUnit(unit, role string, arguments []string, environment map[string]string) error {
	binary := utils.K3sBin()
	if binary == "" {
		return fmt.Errorf("no k3s binary found")
	}
	environmentFile := filepath.Join("/etc/sysconfig", unit)
	// No folder is made on the way, here and for the sentinel: the real plug-in relies on the image for them too.
	if err := utils.WriteEnv(environmentFile, environment); err != nil {
		return fmt.Errorf("writing %s: %w", environmentFile, err)
	}
	service, err := systemd.NewService(systemd.WithName(unit))
	if err != nil {
		return err
	}
	if err := service.OverrideCmd(fmt.Sprintf("%s %s %s", binary, role, strings.Join(arguments, " "))); err != nil {
		return fmt.Errorf("overriding the command of %s: %w", unit, err)
	}
	if err := service.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", unit, err)
	}
	if err := service.Enable(); err != nil {
		return fmt.Errorf("enabling %s: %w", unit, err)
	}
	return nil
}

func sentinelExists() bool {
	_, err := os.Stat(deployed)
	return err == nil
}

func writeSentinel() error { return os.WriteFile(deployed, nil, os.ModePerm) }
