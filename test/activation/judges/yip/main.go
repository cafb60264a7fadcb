// Judges an activation file with yip, the program that Kairos runs cloud-config with.
//
//	judge check FILE            parses it, refuses keys that yip does not know, prints the stages as JSON
//	judge run STAGE ROOT FILE   runs a stage with yip's executor: directories and files below ROOT; commands are printed as a
//	                            JSON list after templating and not run, conditions are taken as true
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"github.com/mudler/yip/pkg/executor"
	"github.com/mudler/yip/pkg/plugins"
	"github.com/mudler/yip/pkg/schema"
	"github.com/sirupsen/logrus"
	"github.com/twpayne/go-vfs/v5"
	"gopkg.in/yaml.v3"
)

// What kairos-agent and provider-kairos read from the same file; yip leaves these alone.
type cloudConfig struct {
	Stages    map[string][]schema.Stage `yaml:"stages"`
	K3s       yaml.Node                 `yaml:"k3s"`
	K3sAgent  yaml.Node                 `yaml:"k3s-agent"`
	K0s       yaml.Node                 `yaml:"k0s"`
	K0sWorker yaml.Node                 `yaml:"k0s-worker"`
	P2P       yaml.Node                 `yaml:"p2p"`
}

// check loads the file twice: as Kairos does (which ignores unknown keys and, in a #cloud-config, errors of the stages), and strictly.
func check(file string) (any, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	var strict cloudConfig
	if err := decoder.Decode(&strict); err != nil {
		return nil, fmt.Errorf("strict: %w", err)
	}
	loaded, err := schema.Load(file, vfs.OSFS, schema.FromFile, nil)
	if err != nil {
		return nil, fmt.Errorf("yip: %w", err)
	}
	for stage, steps := range strict.Stages {
		// The cloud-config loader puts an empty step of its own before ours.
		if len(loaded.Stages[stage]) < len(steps) {
			return nil, fmt.Errorf("yip: stage %s lost steps", stage)
		}
	}
	var plain map[string]any
	if err := yaml.Unmarshal(data, &plain); err != nil {
		return nil, err
	}
	delete(plain, "stages")
	return map[string]any{"stages": strict.Stages, "node": plain}, nil
}

// recorder takes the place of the shell.
type recorder struct{ Commands []string }

func (r *recorder) Run(command string, _ ...func(*exec.Cmd)) (string, error) {
	r.Commands = append(r.Commands, command)
	return "", nil
}
func (r *recorder) Start(*exec.Cmd, ...func(*exec.Cmd)) error { return nil }
func (r *recorder) RunTemplate([]string, string) error        { return nil }

// unowned leaves owners alone, so that the judge needs no root.
type unowned struct{ vfs.FS }

func (unowned) Chown(string, int, int) error { return nil }

func run(stage, root, file string) (any, error) {
	loaded, err := schema.Load(file, vfs.OSFS, schema.FromFile, nil)
	if err != nil {
		return nil, err
	}
	log := logrus.New()
	log.SetLevel(logrus.WarnLevel)
	console := &recorder{Commands: []string{}}
	judge := executor.NewExecutor(executor.WithLogger(log))
	judge.Conditionals(nil)
	judge.Plugins([]executor.Plugin{plugins.EnsureDirectories, plugins.EnsureFiles, plugins.Commands})
	err = judge.Apply(stage, *loaded, unowned{vfs.NewPathFS(vfs.OSFS, root)}, console)
	return console.Commands, err
}

func main() {
	var result any
	err := fmt.Errorf("usage: judge check FILE | judge run STAGE ROOT FILE")
	switch arguments := os.Args[1:]; {
	case len(arguments) == 2 && arguments[0] == "check":
		result, err = check(arguments[1])
	case len(arguments) == 4 && arguments[0] == "run":
		result, err = run(arguments[1], arguments[2], arguments[3])
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
