package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
)

const etcdAddress = "http://127.0.0.1:2379"

// run starts a server or an agent, tells systemd when it is ready, and stops everything in order on a signal.
func run(o options) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	warn("%s on node %s (%s): this is test equipment", o.role, o.nodeName, o.nodeIP)
	s := &supervisor{}
	defer s.stop()
	start := startServer
	if o.role == roleAgent {
		start = startAgent
	}
	if err := start(ctx, s, o); err != nil {
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		return err
	}
	warn("%s is up and running", o.role)
	<-ctx.Done()
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	return nil
}

// startServer returns once the API answers; the node of the server itself follows by itself.
func startServer(ctx context.Context, s *supervisor, o options) error {
	tls := filepath.Join(serverDir, "tls")
	ca, err := loadAuthority(tls)
	if err != nil {
		return err
	}
	token, err := serverToken(o, ca)
	if err != nil {
		return err
	}
	if err := serverCertificates(o, ca, tls); err != nil {
		return err
	}
	s.start("etcd", append([]string{"--name=default", "--data-dir=" + filepath.Join(serverDir, "db/etcd"),
		"--listen-client-urls=" + etcdAddress, "--advertise-client-urls=" + etcdAddress,
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=default=http://127.0.0.1:2380",
		// Slow disks and emulated machines: no elections over a late heartbeat of the only member.
		"--heartbeat-interval=500", "--election-timeout=5000"}, o.extra("etcd-arg")...)...)
	if err := signNode(ca, o.nodeName, o.nodeIP); err != nil {
		return err
	}
	if err := startContainerd(ctx, s, o); err != nil {
		return err
	}
	if err := waitFor(ctx, "etcd answers", func() error { return answers(http.DefaultClient, etcdAddress+"/health") }); err != nil {
		return err
	}
	s.start("kube-apiserver", apiserverFlags(o, tls)...)
	api := clientOf(tls, ca)
	if err := waitFor(ctx, "the API is ready", func() error { return answers(api, "https://127.0.0.1:6443/readyz") }); err != nil {
		return err
	}
	s.start("kube-controller-manager", controllerFlags(o, tls)...)
	s.start("kube-scheduler", append([]string{"--kubeconfig=" + filepath.Join(tls, "scheduler.kubeconfig"),
		"--leader-elect=false"}, o.extra("kube-scheduler-arg")...)...)
	if err := startKubelet(s, o, ca.pem, "https://127.0.0.1:6443"); err != nil {
		return err
	}
	if err := serveJoin(ca, tls, token); err != nil {
		return err
	}
	go labelControlPlane(ctx, o.nodeName)
	return nil
}

func serverCertificates(o options, ca authority, tls string) error {
	hosts := append([]string{"kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "localhost", "127.0.0.1", serviceAddress, o.nodeName, o.nodeIP},
		o.list("tls-san")...)
	if _, err := loadKey(filepath.Join(tls, "service-account.key")); err != nil {
		return err
	}
	errs := []error{ca.issueFiles(filepath.Join(tls, "apiserver"), "kube-apiserver", nil, hosts)}
	for name, subject := range map[string]struct{ user, group string }{
		"admin":             {"system:admin", "system:masters"},
		"apiserver-kubelet": {"kube-apiserver", "system:masters"},
		"scheduler":         {"system:kube-scheduler", ""},
		// One identity for all controllers needs all their rights; an account for each would cost a slow node seconds.
		"controller-manager": {"system:kube-controller-manager", "system:masters"},
	} {
		path := filepath.Join(tls, name)
		errs = append(errs, ca.issueFiles(path, subject.user, []string{subject.group}, nil),
			writeKubeconfig(path+".kubeconfig", 0o600, "https://127.0.0.1:6443", ca.pem, path))
	}
	mode := os.FileMode(0o600)
	if given := o.last("write-kubeconfig-mode"); given != "" {
		parsed, err := strconv.ParseUint(given, 8, 9)
		if err != nil {
			return fmt.Errorf("--write-kubeconfig-mode %s: must be octal permissions", given)
		}
		mode = os.FileMode(parsed)
	}
	errs = append(errs, writeKubeconfig(adminKubeconfig, mode, "https://127.0.0.1:6443", ca.pem, filepath.Join(tls, "admin")))
	return errors.Join(errs...)
}
