package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

const containerdConfig = `version = 2
root = "%[1]s/containerd"
state = "/run/k3s/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile", "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.opt"]
[grpc]
  address = "%[2]s"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[3]s"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = true
        BinaryName = "%[4]s/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "%[5]s"
    conf_dir = "%[1]s/etc/cni/net.d"
`

// Pods of one node reach each other over a bridge. The third byte differs between nodes; nothing routes between them.
const networkConfig = `{"cniVersion": "1.0.0", "name": "k3s-standin", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "ipam": {"type": "host-local",
   "dataDir": "/var/lib/cni/networks", "ranges": [[{"subnet": "10.42.%d.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "loopback"}]}
`

// startContainerd returns once containerd listens and the images found on the node are imported.
func startContainerd(ctx context.Context, s *supervisor, o options) error {
	file := filepath.Join(agentDir, "etc/containerd/config.toml")
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(o.nodeName))
	subnet := hash.Sum32() % 255
	if err := errors.Join(
		writeFile(file, fmt.Appendf(nil, containerdConfig, agentDir, containerdSocket, pauseImage, binDir, cniDir), 0o644),
		writeFile(filepath.Join(agentDir, "etc/cni/net.d/10-k3s-standin.conflist"), fmt.Appendf(nil, networkConfig, subnet), 0o644),
		os.MkdirAll(filepath.Dir(containerdSocket), 0o711),
	); err != nil {
		return err
	}
	for _, module := range []string{"overlay", "bridge", "veth", "br_netfilter"} {
		if out, err := exec.Command("modprobe", module).CombinedOutput(); err != nil {
			warn("modprobe %s: %v %s", module, err, out)
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		warn("no forwarding between pods: %v", err)
	}
	s.start("containerd", "-c", file)
	listens := func() error {
		connection, err := net.DialTimeout("unix", containerdSocket, time.Second)
		if err != nil {
			return err
		}
		return connection.Close()
	}
	if err := waitFor(ctx, "containerd listens", listens); err != nil {
		return err
	}
	return importImages(ctx)
}

// startKubelet runs the kubelet with the certificates under agentDir.
func startKubelet(s *supervisor, o options, ca []byte, server string) error {
	path := func(name string) string { return filepath.Join(agentDir, name) }
	config, err := yaml.Marshal(map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"cgroupDriver":             "systemd",
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"failSwapOn":               false,
		"clusterDomain":            "cluster.local",
		"resolvConf":               "/etc/resolv.conf",
		"tlsCertFile":              path("serving-kubelet.crt"),
		"tlsPrivateKeyFile":        path("serving-kubelet.key"),
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": false},
			"x509":      map[string]any{"clientCAFile": path("ca.crt")},
		},
		"authorization":             map[string]any{"mode": "Webhook"},
		"nodeStatusUpdateFrequency": "5s",
	})
	if err != nil {
		return err
	}
	if err := errors.Join(
		writeFile(path("etc/kubelet.yaml"), config, 0o644),
		writeFile(path("ca.crt"), ca, 0o644),
		writeKubeconfig(path("kubelet.kubeconfig"), 0o600, server, ca, path("client-kubelet")),
	); err != nil {
		return err
	}
	flags := []string{"--config=" + path("etc/kubelet.yaml"), "--kubeconfig=" + path("kubelet.kubeconfig"),
		"--hostname-override=" + o.nodeName, "--node-ip=" + o.nodeIP, "--root-dir=/var/lib/kubelet"}
	if labels := o.list("node-label"); len(labels) > 0 {
		flags = append(flags, "--node-labels="+strings.Join(labels, ","))
	}
	if taints := o.list("node-taint"); len(taints) > 0 {
		flags = append(flags, "--register-with-taints="+strings.Join(taints, ","))
	}
	s.start("kubelet", append(flags, o.extra("kubelet-arg")...)...)
	return nil
}

// writeKubeconfig writes a client configuration with the certificate and key PATH.crt and PATH.key in it.
func writeKubeconfig(file string, mode os.FileMode, server string, ca []byte, path string) error {
	certificate, err := os.ReadFile(path + ".crt")
	if err != nil {
		return err
	}
	key, err := os.ReadFile(path + ".key")
	if err != nil {
		return err
	}
	content, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "default",
		"clusters": []any{map[string]any{"name": "default",
			"cluster": map[string]any{"server": server, "certificate-authority-data": ca}}},
		"users": []any{map[string]any{"name": "default",
			"user": map[string]any{"client-certificate-data": certificate, "client-key-data": key}}},
		"contexts": []any{map[string]any{"name": "default",
			"context": map[string]any{"cluster": "default", "user": "default"}}},
	})
	if err != nil {
		return err
	}
	return writeFile(file, content, mode)
}
