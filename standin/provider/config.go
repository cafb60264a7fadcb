package main

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// config is the part of a Kairos cloud-config that the provider reads. A pointer tells "not written" from "false".
type config struct {
	K3s      distribution `yaml:"k3s"`
	K3sAgent distribution `yaml:"k3s-agent"`
	P2P      *p2p         `yaml:"p2p"`
}

type distribution struct {
	Enabled          *bool             `yaml:"enabled"`
	Args             []string          `yaml:"args"`
	ReplaceArgs      bool              `yaml:"replace_args"`
	Env              map[string]string `yaml:"env"`
	ReplaceEnv       bool              `yaml:"replace_env"`
	EmbeddedRegistry bool              `yaml:"embedded_registry"`
}

type p2p struct {
	NetworkToken string `yaml:"network_token"`
	NetworkID    string `yaml:"network_id"`
	Role         string `yaml:"role"`
	DisableDHT   bool   `yaml:"disable_dht"`
	Auto         struct {
		Enable *bool `yaml:"enable"`
	} `yaml:"auto"`
	VPN struct {
		Create *bool             `yaml:"create"`
		Use    *bool             `yaml:"use"`
		Env    map[string]string `yaml:"env"`
	} `yaml:"vpn"`
}

func (d distribution) enabled() bool { return d.Enabled != nil && *d.Enabled }

func (c config) kubernetes() bool { return c.K3s.enabled() || c.K3sAgent.enabled() }

// once tells whether the node is set up in one step, without roles agreed over the peer-to-peer network.
func (c config) once() bool {
	if c.P2P == nil || c.P2P.NetworkToken == "" {
		return c.kubernetes()
	}
	return c.P2P.Auto.Enable != nil && !*c.P2P.Auto.Enable
}

func (p p2p) createsVPN() bool { return p.VPN.Create == nil || *p.VPN.Create }

func (p p2p) routesThroughVPN() bool { return p.createsVPN() && (p.VPN.Use == nil || *p.VPN.Use) }

func parseConfig(text string) (config, error) {
	var c config
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	return c, nil
}
