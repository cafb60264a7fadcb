package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// startAgent joins the server and returns once the kubelet is healthy. A node that has joined before starts without its server.
func startAgent(ctx context.Context, s *supervisor, o options) error {
	server, err := url.Parse(o.last("server"))
	if err != nil || server.Scheme != "https" || server.Hostname() == "" {
		return fmt.Errorf("K3S_URL %q: must be https://HOST:6443", o.last("server"))
	}
	serving := filepath.Join(agentDir, "serving-kubelet.crt")
	if err := waitFor(ctx, "has certificates of "+server.Host, func() error {
		err := join(ctx, o, server.Hostname())
		if _, missing := os.Stat(serving); err != nil && missing == nil {
			warn("starting with the certificates of last time: %v", err)
			return nil
		}
		return err
	}); err != nil {
		return err
	}
	ca, err := os.ReadFile(filepath.Join(agentDir, "ca.crt"))
	if err != nil {
		return err
	}
	if err := startContainerd(ctx, s, o); err != nil {
		return err
	}
	if err := startKubelet(s, o, ca, server.String()); err != nil {
		return err
	}
	return waitFor(ctx, "the kubelet is healthy", func() error {
		return answers(http.DefaultClient, "http://127.0.0.1:10248/healthz")
	})
}

// join gets certificates for this node's keys from the server.
func join(ctx context.Context, o options, host string) error {
	expected, secret := splitToken(o.last("token"))
	address := "https://" + net.JoinHostPort(host, joinPort)
	// As with k3s, the authority is fetched without trust; the digest in a full token is what makes it trusted.
	ca, err := ask(ctx, &tls.Config{InsecureSkipVerify: true}, http.MethodGet, address+"/cacerts", "", nil)
	if err != nil {
		return err
	}
	if expected != "" && fingerprint(ca) != expected {
		return fmt.Errorf("the authority of %s is not the one the token names", address)
	}
	client, clientErr := certificateRequest("client-kubelet")
	serving, servingErr := certificateRequest("serving-kubelet")
	if err := errors.Join(clientErr, servingErr); err != nil {
		return err
	}
	body, err := json.Marshal(joinRequest{NodeName: o.nodeName, NodeIP: o.nodeIP, Client: client, Serving: serving})
	if err != nil {
		return err
	}
	answer, err := ask(ctx, &tls.Config{RootCAs: pool(ca)}, http.MethodPost, address+"/join", secret, body)
	if err != nil {
		return err
	}
	var signed joinResponse
	if err := json.Unmarshal(answer, &signed); err != nil {
		return err
	}
	return errors.Join(
		writeFile(filepath.Join(agentDir, "ca.crt"), ca, 0o644),
		writeFile(filepath.Join(agentDir, "client-kubelet.crt"), signed.Client, 0o644),
		writeFile(filepath.Join(agentDir, "serving-kubelet.crt"), signed.Serving, 0o644))
}

func ask(ctx context.Context, config *tls.Config, method, address, secret string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", address, response.Status, bytes.TrimSpace(content))
	}
	return content, err
}

// certificateRequest proves, in DER, that this node has a key; the server decides what the certificate says.
func certificateRequest(name string) ([]byte, error) {
	key, err := loadKey(filepath.Join(agentDir, name+".key"))
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
}
