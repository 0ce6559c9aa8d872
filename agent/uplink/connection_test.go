package uplink

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key, a.file, _ = a.signCertificate("authority", time.Now().Add(-time.Hour))
	return a
}

// signCertificate makes a certificate, signed by a or self-signed, and returns
// its files.
func (a *authority) signCertificate(name string, from time.Time) (*x509.Certificate, *ecdsa.PrivateKey, string, string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: from, NotAfter: from.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"broker.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	dir := a.t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return made, key, certFile, keyFile
}

func TestTheBrokerMustBeTheOneThatTheAuthorityVouchesFor(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	_, _, cert, key := ours.signCertificate("broker", time.Now().Add(-time.Minute))
	_, _, lateCert, lateKey := ours.signCertificate("broker", time.Now().Add(time.Hour))
	_, _, deviceCert, deviceKey := ours.signCertificate("device", time.Now().Add(-time.Minute))
	_, _, strangeCert, strangeKey := theirs.signCertificate("device", time.Now().Add(-time.Minute))
	pinned := TLS{CAFile: ours.file}
	for name, c := range map[string]struct {
		cert, key string
		server    *tls.Config
		client    TLS
		ok        bool
		alpn      string
	}{
		"pinned authority":       {cert, key, &tls.Config{}, pinned, true, ""},
		"another authority":      {cert, key, &tls.Config{}, TLS{CAFile: theirs.file}, false, ""},
		"the system's":           {cert, key, &tls.Config{}, TLS{}, false, ""},
		"another name":           {cert, key, &tls.Config{}, TLS{CAFile: ours.file, ServerName: "other.example"}, false, ""},
		"the name in the file":   {cert, key, &tls.Config{}, TLS{CAFile: ours.file, ServerName: "broker.example"}, true, ""},
		"TLS 1.1":                {cert, key, &tls.Config{MaxVersion: tls.VersionTLS11}, pinned, false, ""},
		"TLS 1.2":                {cert, key, &tls.Config{MaxVersion: tls.VersionTLS12}, pinned, true, ""},
		"ALPN":                   {cert, key, &tls.Config{NextProtos: []string{"mqtt"}}, TLS{CAFile: ours.file, ALPN: []string{"mqtt"}}, true, "mqtt"},
		"device not certified":   {cert, key, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}, pinned, false, ""},
		"device certified":       {cert, key, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}, TLS{CAFile: ours.file, CertFile: deviceCert, KeyFile: deviceKey}, true, ""},
		"device of someone else": {cert, key, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}, TLS{CAFile: ours.file, CertFile: strangeCert, KeyFile: strangeKey}, false, ""},
		"not valid yet":          {lateCert, lateKey, &tls.Config{}, pinned, false, ""},
		"not valid yet, but the clock is behind the build": {lateCert, lateKey, &tls.Config{}, TLS{CAFile: ours.file, Floor: time.Now().Add(2 * time.Hour)}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			pair, err := tls.LoadX509KeyPair(c.cert, c.key)
			if err != nil {
				t.Fatal(err)
			}
			c.server.Certificates = []tls.Certificate{pair}
			c.server.ClientCAs = x509.NewCertPool()
			c.server.ClientCAs.AddCert(ours.cert)
			c.server.MinVersion = tls.VersionTLS10
			alpn := make(chan string, 1)
			c.server.VerifyConnection = func(s tls.ConnectionState) error {
				alpn <- s.NegotiatedProtocol
				return nil
			}
			b := newFaultyBroker(t, noFault)
			b.config.Store(c.server)
			u := testUplink(t, nil)
			u.broker.Scheme, u.broker.Host, u.o.TLS = "mqtts", b.Addr().String(), c.client
			l, err := u.connect(context.Background())
			if (err == nil) != c.ok {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				l.disconnect(0)
				if got := <-alpn; got != c.alpn {
					t.Errorf("ALPN %q", got)
				}
			} else {
				t.Log(err)
			}
		})
	}
}

func TestATLSPortThatIsAddressedWithoutTLSIsNamed(t *testing.T) {
	ours := newAuthority(t)
	_, _, cert, key := ours.signCertificate("broker", time.Now().Add(-time.Minute))
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	b := newFaultyBroker(t, noFault)
	b.config.Store(&tls.Config{Certificates: []tls.Certificate{pair}})
	for _, scheme := range []string{"mqtt", "ws"} {
		u := testUplink(t, nil)
		u.broker.Scheme, u.broker.Host = scheme, b.Addr().String()
		if err := u.CheckConnection(t.Context()); err == nil || !strings.Contains(err.Error(), "this port speaks TLS: broker.url must begin with "+scheme+"s://") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}
