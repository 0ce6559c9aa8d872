// Package est tries the enrolment of kerb against the EST server of GlobalSign
// (github.com/globalsign/est), and the certificates that it gives against mosquitto.
package est

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globalsign/est"

	"kerb/agent/enrol"
)

// authority is a certificate authority that signs what the EST server asks for. Its
// certificates last for life.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	life time.Duration
	at   func() time.Time

	mu      sync.Mutex
	secrets map[string]bool // that are not used yet
	serial  int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{life: 90 * 24 * time.Hour, at: time.Now, secrets: map[string]bool{"first": true}}
	a.cert, a.key = newCertificate(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "city"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	return a
}

// newCertificate makes a certificate, signed by parent or, without one, by itself.
func newCertificate(t *testing.T, c, parent *x509.Certificate, parentKey crypto.Signer) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent, parentKey = c, key
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().AddDate(10, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, key
}

// takeSecret is the check of HTTP Basic for simpleenroll: each secret serves once.
func (a *authority) takeSecret(_ context.Context, r *http.Request, _, user, password string) error {
	if strings.HasSuffix(r.URL.Path, "/simplereenroll") {
		return nil // the certificate logs in
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if user != "pi-1" || !a.secrets[password] {
		return errors.New("no")
	}
	delete(a.secrets, password)
	return nil
}

func (a *authority) CACerts(context.Context, string, *http.Request) ([]*x509.Certificate, error) {
	return []*x509.Certificate{a.cert}, nil
}

func (a *authority) CSRAttrs(context.Context, string, *http.Request) (est.CSRAttrs, error) {
	return est.CSRAttrs{}, nil
}

func (a *authority) Enroll(_ context.Context, csr *x509.CertificateRequest, _ string, _ *http.Request) (*x509.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: csr.Subject, NotBefore: a.at(), NotAfter: a.at().Add(a.life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.cert, csr.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (a *authority) Reenroll(ctx context.Context, _ *x509.Certificate, csr *x509.CertificateRequest, aps string, r *http.Request) (*x509.Certificate, error) {
	return a.Enroll(ctx, csr, aps, r)
}

func (a *authority) ServerKeyGen(context.Context, *x509.CertificateRequest, string, *http.Request) (*x509.Certificate, []byte, error) {
	return nil, nil, errors.New("not here")
}

func (a *authority) TPMEnroll(context.Context, *x509.CertificateRequest, []*x509.Certificate, []byte, []byte, string, *http.Request) ([]byte, []byte, []byte, error) {
	return nil, nil, nil, errors.New("not here")
}

// pool returns the authority alone.
func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// serve starts the EST server, or handler in its place, with a certificate of a.
func (a *authority) serve(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	if handler == nil {
		var err error
		if handler, err = est.NewRouter(&est.ServerConfig{CA: a, CheckBasicAuth: a.takeSecret}); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := newCertificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "est"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}}, a.cert, a.key)
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}, ClientCAs: a.pool(), ClientAuth: tls.VerifyClientCertIfGiven}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// writePEM writes a certificate and, where there is one, its key.
func writePEM(t *testing.T, path string, c *x509.Certificate, key *ecdsa.PrivateKey) string {
	t.Helper()
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// device is a device that enrols.
func (a *authority) device(t *testing.T, server *httptest.Server) enrol.Opts {
	t.Helper()
	dir := t.TempDir()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := enrol.Opts{
		Server: u, CAFile: writePEM(t, filepath.Join(dir, "ca.pem"), a.cert, nil), SecretFile: filepath.Join(dir, "secret"),
		User: "pi-1", Name: "pi-1", File: filepath.Join(dir, "device.pem"), Synced: true, Now: time.Now(),
	}
	if err := os.WriteFile(o.SecretFile, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// leaf reads the certificate at hand.
func leaf(t *testing.T, o enrol.Opts) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(o.File, o.File)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestADeviceEnrolsOnceAndRenewsBeforeTheEnd(t *testing.T) {
	a := newAuthority(t)
	o := a.device(t, a.serve(t, nil))
	r, err := enrol.Run(t.Context(), o)
	if err != nil || r.Done != "enrolled" {
		t.Fatalf("%+v, %v", r, err)
	}
	first := leaf(t, o)
	if first.Subject.CommonName != "pi-1" || !r.Ends.Equal(first.NotAfter) {
		t.Errorf("%v, %+v", first.Subject, r)
	}
	if info, err := os.Stat(o.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	o.Now = time.Now().Add(59 * 24 * time.Hour)
	if r, err := enrol.Run(t.Context(), o); err != nil || r.Done != "nothing" {
		t.Errorf("before two thirds of its life: %+v, %v", r, err)
	}
	o.Now = time.Now().Add(61 * 24 * time.Hour)
	a.at = func() time.Time { return o.Now }
	if r, err := enrol.Run(t.Context(), o); err != nil || r.Done != "renewed" {
		t.Fatalf("after two thirds of its life: %+v, %v", r, err)
	}
	second := leaf(t, o)
	if first.PublicKey.(*ecdsa.PublicKey).Equal(second.PublicKey) || second.Subject.CommonName != "pi-1" {
		t.Error("the renewed certificate has the old key, or another name")
	}
}

func TestASecretServesOnce(t *testing.T) {
	a := newAuthority(t)
	server := a.serve(t, nil)
	if r, err := enrol.Run(t.Context(), a.device(t, server)); err != nil || r.Done != "enrolled" {
		t.Fatalf("%+v, %v", r, err)
	}
	thief := a.device(t, server) // another machine with a copy of the card
	if _, err := enrol.Run(t.Context(), thief); err == nil || !strings.Contains(err.Error(), "used before") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(thief.File); err == nil {
		t.Error("a file was written")
	}
}

func TestAServerThatIsAwayOrAnotherChangesNothing(t *testing.T) {
	a := newAuthority(t)
	server := a.serve(t, nil)
	o := a.device(t, server)
	if _, err := enrol.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(o.File)
	if err != nil {
		t.Fatal(err)
	}
	o.Now = time.Now().Add(61 * 24 * time.Hour) // it is due, for weeks
	stranger := newAuthority(t)
	garbage := func(text string, status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		})
	}
	closed := a.serve(t, nil)
	closed.Close()
	for name, c := range map[string]struct {
		server *httptest.Server
		want   string
	}{
		"away":                      {closed, "connection refused"},
		"of another authority":      {stranger.serve(t, nil), "certificate"},
		"it gives another's name":   {a.serve(t, mustRouter(t, a)), "cannot be used"},
		"no EST server":             {a.serve(t, http.NotFoundHandler()), "HTTP 404"},
		"it answers no base64":      {a.serve(t, garbage("\x1b[2J secret", 200)), "not in base64"},
		"it answers no CMS":         {a.serve(t, garbage("aGVsbG8=", 200)), "no certificates"},
		"it has not decided yet":    {a.serve(t, garbage("", 202)), "not decided"},
		"it sends us elsewhere":     {a.serve(t, http.RedirectHandler(server.URL, 302)), "HTTP 302"},
		"it answers without an end": {a.serve(t, http.HandlerFunc(flood)), "cannot be used"},
		"it never answers":          {a.serve(t, http.HandlerFunc(silent)), "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			if o.Server, err = url.Parse(c.server.URL); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if name == "it never answers" { // kerb itself waits for a minute
				ctx, cancel = context.WithTimeout(ctx, 2*time.Second)
			}
			defer cancel()
			_, err := enrol.Run(ctx, o)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\x1b\n") || !strings.Contains(err.Error(), "good until") {
				t.Errorf("%v", err)
			}
			if after, _ := os.ReadFile(o.File); string(after) != string(before) {
				t.Error("the certificate at hand was changed")
			}
		})
	}
}

// mustRouter returns the EST server of an authority, which signs for a name of its own.
func mustRouter(t *testing.T, a *authority) http.Handler {
	t.Helper()
	h, err := est.NewRouter(&est.ServerConfig{CA: &renamer{a}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// renamer signs for another name than was asked for.
type renamer struct{ *authority }

func (r *renamer) Reenroll(ctx context.Context, _ *x509.Certificate, csr *x509.CertificateRequest, aps string, q *http.Request) (*x509.Certificate, error) {
	other := *csr
	other.Subject = pkix.Name{CommonName: "pi-2"}
	return r.Enroll(ctx, &other, aps, q)
}

// silent reads the question and does not answer.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// flood answers with base64 until the other side has enough.
func flood(w http.ResponseWriter, r *http.Request) {
	line := strings.Repeat("AAAA", 1024)
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, line); err != nil {
			return
		}
	}
}

func TestAClockIn1970EnrolsAgainstTheFloorAndRenewsNothing(t *testing.T) {
	a := newAuthority(t)
	o := a.device(t, a.serve(t, nil))
	o.Now, o.Synced = time.Unix(1000, 0), false
	if _, err := enrol.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without a floor the server's certificate is not valid yet: %v", err)
	}
	o.Floor = time.Now().Add(-time.Minute)
	if r, err := enrol.Run(t.Context(), o); err != nil || r.Done != "enrolled" {
		t.Fatalf("%+v, %v", r, err)
	}
	o.Floor = time.Now().Add(80 * 24 * time.Hour) // a floor is no clock: nothing is due by it
	if r, err := enrol.Run(t.Context(), o); err != nil || r.Done != "nothing" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestACertificateThatHasEndedNeedsANewSecret(t *testing.T) {
	a := newAuthority(t)
	o := a.device(t, a.serve(t, nil))
	if _, err := enrol.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.Now = time.Now().Add(91 * 24 * time.Hour)
	a.at = func() time.Time { return o.Now }
	if _, err := enrol.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "new one-time secret") {
		t.Errorf("%v", err)
	}
	a.secrets["second"] = true
	if err := os.WriteFile(o.SecretFile, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := enrol.Run(t.Context(), o); err != nil || r.Done != "enrolled" {
		t.Errorf("%+v, %v", r, err)
	}
}
