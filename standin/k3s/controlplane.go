package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// The API groups that a node, its workloads and kubectl need. A quarter of the processor time of a start on an emulated machine
// is saved by leaving out the rest; --kube-apiserver-arg runtime-config=... overrules this.
var apiGroups = []string{
	"api/v1", "apiextensions.k8s.io/v1", "apiregistration.k8s.io/v1", "apps/v1", "authentication.k8s.io/v1",
	"authorization.k8s.io/v1", "batch/v1", "coordination.k8s.io/v1", "discovery.k8s.io/v1", "events.k8s.io/v1",
	"networking.k8s.io/v1", "node.k8s.io/v1", "policy/v1", "rbac.authorization.k8s.io/v1", "resource.k8s.io/v1",
	"scheduling.k8s.io/v1", "storage.k8s.io/v1",
}

// Admission plug-ins that watch API groups which are off, or that nothing here uses.
var admissionOff = []string{
	"MutatingAdmissionPolicy", "ValidatingAdmissionPolicy", "MutatingAdmissionWebhook", "ValidatingAdmissionWebhook",
	"CertificateApproval", "CertificateSigning", "CertificateSubjectRestriction", "ClusterTrustBundleAttest",
	"PodTopologyLabels",
}

var runningControllers = []string{
	"serviceaccount-controller", "serviceaccount-token-controller", "root-ca-certificate-publisher-controller",
	"node-lifecycle-controller", "taint-eviction-controller", "namespace-controller", "pod-garbage-collector-controller",
	"garbage-collector-controller", "deployment-controller", "replicaset-controller", "daemonset-controller", "job-controller",
}

func apiserverFlags(o options, tls string) []string {
	path := func(name string) string { return filepath.Join(tls, name) }
	return append([]string{
		"--etcd-servers=" + etcdAddress,
		"--secure-port=6443",
		"--advertise-address=" + o.nodeIP,
		"--service-cluster-ip-range=" + serviceRange,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--disable-admission-plugins=" + strings.Join(admissionOff, ","),
		"--runtime-config=api/all=false," + strings.Join(apiGroups, "=true,") + "=true",
		"--enable-priority-and-fairness=false",
		"--allow-privileged=true",
		"--profiling=false",
		"--client-ca-file=" + path("ca.crt"),
		"--tls-cert-file=" + path("apiserver.crt"), "--tls-private-key-file=" + path("apiserver.key"),
		"--kubelet-certificate-authority=" + path("ca.crt"),
		"--kubelet-client-certificate=" + path("apiserver-kubelet.crt"),
		"--kubelet-client-key=" + path("apiserver-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + path("service-account.key"),
		"--service-account-signing-key-file=" + path("service-account.key"),
	}, o.extra("kube-apiserver-arg")...)
}

func controllerFlags(o options, tls string) []string {
	return append([]string{
		"--kubeconfig=" + filepath.Join(tls, "controller-manager.kubeconfig"),
		"--controllers=" + strings.Join(runningControllers, ","),
		"--service-account-private-key-file=" + filepath.Join(tls, "service-account.key"),
		"--root-ca-file=" + filepath.Join(tls, "ca.crt"),
		"--leader-elect=false",
		"--profiling=false",
	}, o.extra("kube-controller-manager-arg")...)
}

// clientOf returns a client with the administrator's certificate.
func clientOf(dir string, ca authority) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: pool(ca.pem),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "admin.crt"), filepath.Join(dir, "admin.key"))
			return &pair, err
		},
	}}}
}

func answers(client *http.Client, address string) error {
	response, err := client.Get(address)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return nil
}

// labelControlPlane gives the server's node the roles that kubectl shows, as k3s does for one with an embedded etcd; a kubelet may not
// give them to itself.
func labelControlPlane(ctx context.Context, node string) {
	_ = waitFor(ctx, "the node is registered", func() error {
		config, err := clientcmd.BuildConfigFromFlags("", adminKubeconfig)
		if err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		patch := []byte(`{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":"true","node-role.kubernetes.io/etcd":"true"}}}`)
		_, err = client.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	})
}
