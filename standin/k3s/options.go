package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	roleServer = "server"
	roleAgent  = "agent"

	binDir           = "/usr/lib/k3s-standin/bin"
	cniDir           = "/usr/lib/k3s-standin/cni"
	configDir        = "/etc/rancher/k3s"
	adminKubeconfig  = configDir + "/k3s.yaml"
	dataDir          = "/var/lib/rancher/k3s"
	serverDir        = dataDir + "/server"
	agentDir         = dataDir + "/agent"
	containerdSocket = "/run/k3s/containerd/containerd.sock"
	serviceRange     = "10.43.0.0/16"
	serviceAddress   = "10.43.0.1"
)

// options are the settings of one run: each flag of the command line, of config.yaml and of the environment by its k3s name,
// in the order given. Most settings of k3s mean nothing to the stand-in.
type options struct {
	role     string
	values   map[string][]string
	nodeName string
	nodeIP   string
}

// used lists the flags that take effect; accepted lists those of k3s that are taken without a word, true where a value follows.
var (
	used = map[string]bool{
		"node-name": true, "node-ip": true, "with-node-id": false, "node-label": true, "node-taint": true,
		"server": true, "token": true, "token-file": true, "tls-san": true, "write-kubeconfig-mode": true, "config": true,
		"kubelet-arg": true, "kube-apiserver-arg": true, "kube-controller-manager-arg": true, "kube-scheduler-arg": true,
		"etcd-arg": true,
	}
	accepted = map[string]bool{
		"disable": true, "flannel-iface": true, "flannel-backend": true, "cluster-init": false, "embedded-registry": false,
		"disable-network-policy": false, "disable-cloud-controller": false, "disable-kube-proxy": false, "debug": false,
	}
	// environment gives the variables that k3s reads for its flags.
	environment = map[string]string{
		"server": "K3S_URL", "token": "K3S_TOKEN", "token-file": "K3S_TOKEN_FILE", "node-name": "K3S_NODE_NAME",
		"write-kubeconfig-mode": "K3S_KUBECONFIG_MODE",
	}
)

// readOptions merges the command line over the environment over config.yaml (single values; lists are joined).
func readOptions(role string, arguments []string) (options, error) {
	o := options{role: role, values: map[string][]string{}}
	o.parseArguments(arguments)
	for name, variable := range environment {
		if value := os.Getenv(variable); value != "" && o.last(name) == "" {
			o.values[name] = []string{value}
		}
	}
	main := configDir + "/config.yaml"
	if given := o.last("config"); given != "" {
		main = given
	}
	files, err := filepath.Glob(main + ".d/*.yaml")
	if err != nil {
		return o, err
	}
	for _, file := range append([]string{main}, files...) {
		if err := o.parseFile(file); err != nil {
			return o, err
		}
	}
	if file := o.last("token-file"); file != "" && o.last("token") == "" {
		token, err := os.ReadFile(file)
		if err != nil {
			return o, err
		}
		o.values["token"] = []string{strings.TrimSpace(string(token))}
	}
	return o, o.resolve()
}

func (o *options) parseArguments(arguments []string) {
	for len(arguments) > 0 {
		argument := arguments[0]
		arguments = arguments[1:]
		name, value, hasValue := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		if !strings.HasPrefix(argument, "-") {
			warn("ignored argument %q", argument)
			continue
		}
		takesValue, known := used[name]
		if !known {
			takesValue, known = accepted[name]
		}
		if !known {
			warn("ignored flag %q: the stand-in does not know it", argument)
		}
		if !hasValue && len(arguments) > 0 && !strings.HasPrefix(arguments[0], "-") && (takesValue || !known) {
			value, arguments = arguments[0], arguments[1:]
		} else if !hasValue {
			value = "true"
		}
		o.values[name] = append(o.values[name], value)
	}
}

func (o *options) parseFile(file string) error {
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var settings map[string]any
	if err := yaml.Unmarshal(content, &settings); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for name, setting := range settings {
		if _, isUsed := used[name]; !isUsed {
			if _, isAccepted := accepted[name]; !isAccepted {
				warn("%s: ignored %q: the stand-in does not know it", file, name)
			}
			continue
		}
		if list, isList := setting.([]any); isList {
			for _, item := range list {
				o.values[name] = append(o.values[name], fmt.Sprint(item))
			}
		} else if o.last(name) == "" {
			o.values[name] = []string{fmt.Sprint(setting)}
		}
	}
	return nil
}

// last returns the value of a flag that is given once, or "".
func (o options) last(name string) string {
	if values := o.values[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// list returns the values of a flag that may be repeated or hold several values with commas.
func (o options) list(name string) []string {
	return slices.DeleteFunc(strings.Split(strings.Join(o.values[name], ","), ","), func(s string) bool { return s == "" })
}

// extra turns values NAME=VALUE of a k3s pass-through flag into flags of the program it is for.
func (o options) extra(name string) []string {
	var flags []string
	for _, value := range o.values[name] {
		flags = append(flags, "--"+strings.TrimLeft(value, "-"))
	}
	return flags
}

func (o *options) resolve() error {
	if o.role == roleServer && o.last("server") != "" {
		return errors.New("several servers are not part of the stand-in: unset --server and K3S_URL")
	}
	if o.role == roleAgent && (o.last("server") == "" || o.last("token") == "") {
		return errors.New("an agent needs K3S_URL and K3S_TOKEN (or --server and --token)")
	}
	name := o.last("node-name")
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		name = strings.ToLower(host)
	}
	if o.last("with-node-id") == "true" {
		id, err := keepSecret("/etc/rancher/node/id", 4)
		if err != nil {
			return err
		}
		name += "-" + id
	}
	o.nodeName, o.nodeIP = name, o.last("node-ip")
	// As k3s: the network of pods names the interface of the node's own address too.
	if name := o.last("flannel-iface"); o.nodeIP == "" && name != "" {
		o.nodeIP = interfaceAddress(name)
	} else if o.nodeIP == "" {
		o.nodeIP = outboundAddress()
	}
	if net.ParseIP(o.nodeIP) == nil {
		return fmt.Errorf("no usable address of this node (%q): give --node-ip", o.nodeIP)
	}
	return nil
}

// outboundAddress returns the address the default route leaves from. Nothing is sent: connecting a UDP socket only routes.
func outboundAddress() string {
	connection, err := net.Dial("udp4", "192.0.2.1:9")
	if err != nil {
		return ""
	}
	defer connection.Close()
	return connection.LocalAddr().(*net.UDPAddr).IP.String()
}

// interfaceAddress returns the first IPv4 address of an interface, or nothing.
func interfaceAddress(name string) string {
	device, err := net.InterfaceByName(name)
	if err != nil {
		return ""
	}
	addresses, err := device.Addrs()
	if err != nil {
		return ""
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.To4() != nil {
			return network.IP.String()
		}
	}
	return ""
}

func warn(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "k3s (stand-in): "+format+"\n", values...)
}
