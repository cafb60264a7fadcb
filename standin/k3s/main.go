// Command k3s is a stand-in for the k3s distribution: test equipment for machines that reach no release downloads. It is built
// as a package of the k8s.io/kubernetes module and holds the real Kubernetes programs in one multi-call file, behind the part of
// k3s' command line, files and unit behaviour that Kairos and its provider rely on. containerd, runc, the CNI plug-ins and etcd
// come beside it as files in binDir.
//
// What it lacks: several servers, kube-proxy (service addresses lead nowhere), routes between the pods of different nodes,
// flannel, traefik, the local storage provider, and the cloud controller.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/component-base/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

const usage = `k3s (stand-in) - test equipment with the command line of k3s
usage:
  k3s server [FLAGS]     run a control plane and a node
  k3s agent [FLAGS]      run a node of the server at K3S_URL, with K3S_TOKEN
  k3s kubectl ARGS       kubectl with the server's own configuration
  k3s ctr ARGS           containerd's client on this node's containerd
  k3s --version          print the version`

func main() {
	name, arguments := filepath.Base(os.Args[0]), os.Args[1:]
	if command, isProgram := programs[name]; isProgram {
		os.Exit(cli.Run(command()))
	}
	if !slices.Contains([]string{"kubectl", "ctr", "crictl"}, name) {
		if len(arguments) == 0 {
			fmt.Println(usage)
			return
		}
		name, arguments = arguments[0], arguments[1:]
	}
	if err := dispatch(name, arguments); err != nil {
		fmt.Fprintf(os.Stderr, "k3s (stand-in): %v\n", err)
		os.Exit(1)
	}
}

func dispatch(command string, arguments []string) error {
	switch command {
	case "--version", "-v", "version":
		fmt.Printf("k3s version %s (stand-in)\ngo version %s\n", version.Get().GitVersion, runtime.Version())
		return nil
	case "--help", "-h", "help":
		fmt.Println(usage)
		return nil
	case "kubectl":
		return runKubectl(arguments)
	case "ctr":
		return syscall.Exec(binDir+"/ctr", append([]string{"ctr", "--address", containerdSocket}, arguments...), os.Environ())
	case "crictl":
		return errors.New("no crictl in the stand-in; use k3s ctr -n k8s.io")
	case roleServer, roleAgent:
		o, err := readOptions(command, arguments)
		if err != nil {
			return err
		}
		if os.Geteuid() != 0 {
			return errors.New("must run as root")
		}
		return run(o)
	default:
		return fmt.Errorf("unknown command %q\n%s", command, usage)
	}
}

// programs are the Kubernetes programs in this file; the supervisor starts it under these names. Making a command takes over
// the process' signals, so only the process that is to run one may make it, once.
var programs = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
}

func runKubectl(arguments []string) error {
	if os.Getenv("KUBECONFIG") == "" {
		if err := os.Setenv("KUBECONFIG", adminKubeconfig); err != nil {
			return err
		}
	}
	os.Args = append([]string{"kubectl"}, arguments...)
	os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand()))
	return nil
}
