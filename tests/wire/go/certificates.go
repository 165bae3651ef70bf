package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func write(path, kind string, bytes []byte) {
	ok(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600), path)
}

func template(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true}
}

func makeAuthority(folder string) (authority, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(err, "key")
	t := template("authority", 1)
	t.IsCA = true
	t.KeyUsage = x509.KeyUsageCertSign
	bytes, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	ok(err, "authority")
	certificate, err := x509.ParseCertificate(bytes)
	ok(err, "authority")
	write(filepath.Join(folder, "ca.pem"), "CERTIFICATE", bytes)
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return authority{certificate, key}, pool
}

func (a authority) issue(folder string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(err, "key")
	t := template("node", 2)
	t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	bytes, err := x509.CreateCertificate(rand.Reader, t, a.certificate, &key.PublicKey, a.key)
	ok(err, "certificate")
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ok(err, "key")
	write(filepath.Join(folder, "cert.pem"), "CERTIFICATE", bytes)
	write(filepath.Join(folder, "key.pem"), "PRIVATE KEY", private)
	return tls.Certificate{Certificate: [][]byte{bytes}, PrivateKey: key}
}
