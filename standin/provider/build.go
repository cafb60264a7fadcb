package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/kairos-io/kairos-sdk/bus"
	"github.com/kairos-io/kairos-sdk/types/logger"
	"github.com/kairos-io/kairos-sdk/utils"
	"github.com/mudler/go-pluggable"
)

const installerAddress = "https://get.k3s.io"

var k3sVersionLine = regexp.MustCompile(`k3s version (v\d+\.\d+\.\d+\+k3s\d+)`)

// install answers init.provider.install: fetches the distribution's installer with curl and runs it for a server, then for an
// agent. The data of a success is what the installer printed.
func install(event *pluggable.Event) pluggable.EventResponse {
	log := logger.NewKairosLogger("provider-kairos-build", "info", true)
	payload := bus.ProviderPayload{}
	if event.Data != "" {
		if err := json.Unmarshal([]byte(event.Data), &payload); err != nil {
			return buildFailure("reading the event: %v", err)
		}
	}
	if payload.LogLevel != "" {
		log.SetLevel(payload.LogLevel)
	}
	if payload.Provider != "k3s" {
		log.Logger.Info().Msgf("the stand-in installs k3s only, not %q", payload.Provider)
		return pluggable.EventResponse{State: bus.EventResponseNotApplicable}
	}

	installer := filepath.Join(os.TempDir(), "installer.sh")
	log.Logger.Info().Msgf("stand-in: downloading %s", installerAddress)
	if out, err := exec.Command("curl", "-sfL", installerAddress, "-o", installer).CombinedOutput(); err != nil {
		return buildFailure("Failed to download installer script: %v %s", err, out)
	}
	if err := os.Chmod(installer, 0o755); err != nil {
		return buildFailure("Failed to make installer script executable: %v", err)
	}
	environment := append(os.Environ(),
		"INSTALL_K3S_BIN_DIR=/usr/bin", "INSTALL_K3S_SKIP_ENABLE=true", "INSTALL_K3S_SKIP_SELINUX_RPM=true")
	if payload.Version != "" {
		environment = append(environment, "INSTALL_K3S_VERSION="+payload.Version)
	}
	var output []byte
	for _, arguments := range [][]string{{installer}, {installer, "agent"}} {
		command := exec.Command("sh", arguments...)
		command.Env = environment
		out, err := command.CombinedOutput()
		output = append(output, out...)
		if err != nil {
			return buildFailure("Failed to run k3s installer script: %v %s", err, out)
		}
	}
	return pluggable.EventResponse{State: bus.EventResponseSuccess, Data: string(output)}
}

// info answers init.provider.info: which distribution is installed, in which version.
func info(*pluggable.Event) pluggable.EventResponse {
	binary := utils.K3sBin()
	if binary == "" {
		return pluggable.EventResponse{State: bus.EventResponseNotApplicable}
	}
	installed := bus.ProviderInstalledVersionPayload{Provider: "k3s"}
	// As the real one: a version that cannot be told is empty, not an error.
	if out, err := exec.Command(binary, "--version").CombinedOutput(); err == nil {
		if match := k3sVersionLine.FindSubmatch(out); match != nil {
			installed.Version = string(match[1])
		}
	}
	data, err := json.Marshal(installed)
	if err != nil {
		return buildFailure("%v", err)
	}
	return pluggable.EventResponse{State: bus.EventResponseSuccess, Data: string(data)}
}

func buildFailure(format string, values ...any) pluggable.EventResponse {
	return pluggable.EventResponse{State: bus.EventResponseError, Error: fmt.Sprintf(format, values...)}
}
