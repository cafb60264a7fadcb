package main

import (
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// joinPort is where a server signs the certificates of agents. The real k3s does so on the API's own port.
const joinPort = "9345"

var nodeNames = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// joinRequest asks for the certificates of a node: certificate requests (DER) prove that the agent has the keys; their subjects
// are not used.
type joinRequest struct {
	NodeName string
	NodeIP   string
	Client   []byte
	Serving  []byte
}

type joinResponse struct{ Client, Serving []byte }

// serveJoin answers agents that show the token. It listens before it returns.
func serveJoin(ca authority, dir, token string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cacerts", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(ca.pem) })
	mux.HandleFunc("POST /join", func(w http.ResponseWriter, r *http.Request) {
		given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
			http.Error(w, "wrong token", http.StatusUnauthorized)
			return
		}
		response, err := signJoin(ca, http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(response)
	})
	listener, err := net.Listen("tcp", ":"+joinPort)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadTimeout: time.Minute}
	go func() {
		err := server.ServeTLS(listener, filepath.Join(dir, "apiserver.crt"), filepath.Join(dir, "apiserver.key"))
		warn("agents can no longer join: %v", err)
	}()
	return nil
}

func signJoin(ca authority, body io.Reader) (joinResponse, error) {
	var request joinRequest
	if err := json.NewDecoder(body).Decode(&request); err != nil {
		return joinResponse{}, err
	}
	if !nodeNames.MatchString(request.NodeName) || net.ParseIP(request.NodeIP) == nil {
		return joinResponse{}, fmt.Errorf("node %q at %q: not a name and an address", request.NodeName, request.NodeIP)
	}
	client, clientErr := signRequest(ca, request.Client, "system:node:"+request.NodeName, []string{"system:nodes"}, nil)
	serving, servingErr := signRequest(ca, request.Serving, request.NodeName, nil, []string{request.NodeName, request.NodeIP})
	return joinResponse{client, serving}, errors.Join(clientErr, servingErr)
}

func signRequest(ca authority, der []byte, name string, groups, hosts []string) ([]byte, error) {
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	if err := request.CheckSignature(); err != nil {
		return nil, err
	}
	return ca.issue(request.PublicKey, name, groups, hosts)
}

// signNode writes the certificates of the server's own node.
func signNode(ca authority, name, ip string) error {
	return errors.Join(
		ca.issueFiles(filepath.Join(agentDir, "client-kubelet"), "system:node:"+name, []string{"system:nodes"}, nil),
		ca.issueFiles(filepath.Join(agentDir, "serving-kubelet"), name, nil, []string{name, ip}))
}
