package main

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
)

// serverToken returns the secret that agents join with, and writes node-token in k3s' form K10<sha256 of the CA>::server:<secret>.
func serverToken(o options, ca authority) (string, error) {
	file := filepath.Join(serverDir, "token")
	if given := o.last("token"); given != "" {
		if err := writeFile(file, []byte(given+"\n"), 0o600); err != nil {
			return "", err
		}
	}
	text, err := keepSecret(file, 16)
	if err != nil {
		return "", err
	}
	_, secret := splitToken(text)
	full := fmt.Sprintf("K10%s::server:%s\n", fingerprint(ca.pem), secret)
	return secret, writeFile(filepath.Join(serverDir, "node-token"), []byte(full), 0o600)
}

// splitToken returns the digest of the authority that a full token names, or "", and the secret.
func splitToken(token string) (fingerprint, secret string) {
	digest, rest, full := strings.Cut(strings.TrimPrefix(token, "K10"), "::")
	if !full || !strings.HasPrefix(token, "K10") {
		return "", token
	}
	_, secret, _ = strings.Cut(rest, ":")
	return digest, secret
}

// fingerprint is the SHA-256 of a PEM file's bytes, in hexadecimal digits, as k3s puts it into a token.
func fingerprint(certificates []byte) string {
	return digest(certificates)
}

func pool(certificates []byte) *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(certificates)
	return p
}
