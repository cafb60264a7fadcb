package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ledger reads and writes the key-value ledger that edgevpn shares between the nodes of one token.
type ledger struct {
	client  *http.Client
	base    string
	network string
}

func openLedger(api, network string) ledger {
	address := listenAddress(api)
	transport := &http.Transport{}
	base := "http://" + address
	if path, isSocket := strings.CutPrefix(address, "unix://"); isSocket {
		base = "http://unix"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
	}
	if network == "" {
		network = "kairos"
	}
	return ledger{client: &http.Client{Transport: transport, Timeout: 10 * time.Second}, base: base, network: network}
}

func (l ledger) do(method string, segments ...string) (*http.Response, error) {
	address := l.base + "/api/ledger/" + url.PathEscape(l.network)
	for _, segment := range segments {
		address += "/" + url.PathEscape(segment)
	}
	request, err := http.NewRequest(method, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := l.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("%s %s: %s", method, address, response.Status)
	}
	return response, nil
}

func (l ledger) set(key, value string) error {
	response, err := l.do(http.MethodPut, key, value)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// get returns what a node stored under the key, or "" when none did yet. The ledger keeps values as JSON in a JSON string.
func (l ledger) get(key string) (string, error) {
	response, err := l.do(http.MethodGet, key)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var stored, value string
	if err := json.NewDecoder(response.Body).Decode(&stored); err != nil || stored == "" {
		return "", err
	}
	if err := json.Unmarshal([]byte(stored), &value); err != nil {
		return "", err
	}
	return url.PathUnescape(value)
}
