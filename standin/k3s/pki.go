package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A node may boot with a clock that is behind: certificates begin long ago.
var notBefore = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	pem         []byte
}

// loadAuthority returns the cluster's certificate authority, made on the first start and kept as tls/ca.{crt,key}.
func loadAuthority(dir string) (authority, error) {
	key, err := loadKey(filepath.Join(dir, "ca.key"))
	if err != nil {
		return authority{}, err
	}
	file := filepath.Join(dir, "ca.crt")
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		template := template("k3s-standin-ca", nil)
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return authority{}, err
		}
		content = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		if err := writeFile(file, content, 0o644); err != nil {
			return authority{}, err
		}
	} else if err != nil {
		return authority{}, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return authority{}, fmt.Errorf("%s holds no certificate", file)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	return authority{certificate, key, content}, err
}

// issue signs a certificate for a key: with hosts for a server, without for a client whose groups are its organizations.
func (a authority) issue(key crypto.PublicKey, name string, groups, hosts []string) ([]byte, error) {
	t := template(name, groups)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, host := range hosts {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if ip := net.ParseIP(host); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.certificate, key, a.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// issueFiles writes PATH.crt for the key PATH.key. Certificates are made anew at every start, so that they name the node's
// addresses of today.
func (a authority) issueFiles(path, name string, groups, hosts []string) error {
	key, err := loadKey(path + ".key")
	if err != nil {
		return err
	}
	certificate, err := a.issue(key.Public(), name, groups, hosts)
	if err != nil {
		return err
	}
	return writeFile(path+".crt", certificate, 0o644)
}

func template(name string, groups []string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: groups},
		NotBefore:    notBefore,
		NotAfter:     notBefore.AddDate(30, 0, 0),
	}
}

// loadKey returns the P-256 key in a file, made on first use.
func loadKey(file string) (crypto.Signer, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return nil, err
		}
		return key, writeFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
	} else if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key", file)
	}
	return x509.ParseECPrivateKey(block.Bytes)
}

// keepSecret returns the text in a file, made on first use as that many random bytes in hexadecimal digits.
func keepSecret(file string, bytes int) (string, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		random := make([]byte, bytes)
		_, _ = rand.Read(random)
		secret := hex.EncodeToString(random)
		return secret, writeFile(file, []byte(secret+"\n"), 0o600)
	}
	return strings.TrimSpace(string(content)), err
}

// writeFile replaces a file so that a crash leaves the old one or the new one, and makes the folders above it.
func writeFile(file string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}
