// Package enrol gets the device's certificate from an EST server (RFC 7030) with a
// one-time secret, and renews it with a new key when two thirds of its life are over.
//
// Certificate and key lie in one file, so that a power cut leaves the old pair or the
// new one. The server is verified against the authorities of site.toml alone where it names
// some, and against the clock's floor.
//
// It refuses a certificate for another key or another name, one that has ended, and an
// answer that is no certificate. Where the server is away or answers with garbage, the
// certificate at hand stays.
package enrol

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/smallstep/pkcs7"

	"kerb/agent/state"
)

// Opts says where the device enrols.
type Opts struct {
	Server     *url.URL // https; a path segment behind the host is the server's label (RFC 7030 §3.2.2)
	CAFile     string   // PEM; "": the system's authorities
	SecretFile string   // one-time secret, sent with HTTP Basic; "": none
	User       string   // with the secret
	Name       string   // common name of the certificate
	File       string   // of certificate and key, PEM

	Floor  time.Time // a clock before it shows Floor
	Synced bool      // the clock can be believed: without it nothing is renewed
	Now    time.Time
}

// The limits of an answer and of a server's patience, chosen by hand. A chain of three
// certificates has about 5 kB.
const (
	maxAnswer = 256 << 10
	timeout   = 60 * time.Second
)

// renewAfter is the part of a certificate's life after which it is renewed.
const renewAfter = 2.0 / 3

// Result tells the outcome of an enrolment.
type Result struct {
	Done string    `json:"done"` // "enrolled", "renewed" or "nothing"
	Ends time.Time `json:"ends"` // of the certificate at hand
	Due  time.Time `json:"due"`  // when it will be renewed
}

// Run enrols where there is no certificate that is valid, renews one that is due, and
// otherwise does nothing. The error says what to do.
func Run(ctx context.Context, o Opts) (Result, error) {
	pair, err := readPair(o.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return o.enrol(ctx, "simpleenroll", nil)
	case err != nil:
		r, eerr := o.enrol(ctx, "simpleenroll", nil)
		if eerr != nil {
			return r, fmt.Errorf("%w; the one at hand cannot be used: %w", eerr, err)
		}
		return r, nil
	}
	at := Result{Done: "nothing", Ends: pair.Leaf.NotAfter, Due: dueTime(pair.Leaf)}
	switch now := o.now(); {
	case !o.Synced || now.Before(at.Due):
		return at, nil
	case now.Before(at.Ends):
		r, err := o.enrol(ctx, "simplereenroll", pair)
		if err != nil {
			return at, fmt.Errorf("renew the certificate, which is good until %s: %w", at.Ends.UTC().Format(time.RFC3339), err)
		}
		r.Done = "renewed"
		return r, nil
	}
	r, err := o.enrol(ctx, "simpleenroll", nil)
	if err != nil {
		return at, fmt.Errorf("the certificate ended %s, and a new one needs a new one-time secret: %w", at.Ends.UTC().Format(time.RFC3339), err)
	}
	return r, nil
}

// now returns the clock, or the floor where that is later.
func (o Opts) now() time.Time {
	if o.Now.Before(o.Floor) {
		return o.Floor
	}
	return o.Now
}

// dueTime returns when a certificate is renewed.
func dueTime(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(time.Duration(renewAfter * float64(c.NotAfter.Sub(c.NotBefore))))
}

// readPair reads the file of certificate and key.
func readPair(path string) (*tls.Certificate, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(b, b)
	if err != nil {
		return nil, err
	}
	pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0])
	return &pair, err
}

// enrol sends a request for a new key and writes what it gets. with is the certificate
// that logs in; nil: the secret does.
func (o Opts) enrol(ctx context.Context, operation string, with *tls.Certificate) (Result, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Result{}, err
	}
	request := &x509.CertificateRequest{Subject: pkix.Name{CommonName: o.Name}}
	if with != nil { // RFC 7030 §4.2.2: subject and names as they are
		request.RawSubject, request.DNSNames = with.Leaf.RawSubject, with.Leaf.DNSNames
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, request, key)
	if err != nil {
		return Result{}, err
	}
	answer, err := o.post(ctx, operation, csr, with)
	if err != nil {
		return Result{}, err
	}
	chain, err := o.readChain(answer, key)
	if err != nil {
		return Result{}, fmt.Errorf("%s answers with something that cannot be used: %w", o.Server.Host, err)
	}
	if err := o.writePair(chain, key); err != nil {
		return Result{}, err
	}
	return Result{Done: "enrolled", Ends: chain[0].NotAfter, Due: dueTime(chain[0])}, nil
}

// post sends one request and returns the body of its answer.
func (o Opts) post(ctx context.Context, operation string, csr []byte, with *tls.Certificate) ([]byte, error) {
	c, err := o.tlsConfig(with)
	if err != nil {
		return nil, err
	}
	address := *o.Server
	address.Path = "/.well-known/est" + strings.TrimSuffix(address.Path, "/") + "/" + operation
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	body := strings.NewReader(base64.StdEncoding.EncodeToString(csr))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/pkcs10")
	r.Header.Set("Content-Transfer-Encoding", "base64")
	if with == nil && o.SecretFile != "" {
		secret, err := os.ReadFile(o.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("read the one-time secret: %w", err)
		}
		r.SetBasicAuth(o.User, string(bytes.TrimRight(secret, "\r\n")))
	}
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: c, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the secret is for this server alone
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask %s for a certificate: %w", o.Server.Host, plainCause(err))
	}
	defer answer.Body.Close()
	if err := checkStatus(answer, o.Server.Host); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
}

// plainCause takes off the address, which package net/url puts before an error.
func plainCause(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// checkStatus says what an answer without a certificate means. No byte of the server's
// text is quoted.
func checkStatus(r *http.Response, host string) error {
	switch r.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusAccepted:
		return fmt.Errorf("%s has not decided yet: it is asked again", host)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s refuses this device (HTTP %d): the one-time secret is wrong, or was used before", host, r.StatusCode)
	}
	return fmt.Errorf("%s answers with HTTP %d: is it an EST server, with that path?", host, r.StatusCode)
}

// tlsConfig returns the configuration of one connection, TLS 1.2 or later.
func (o Opts) tlsConfig(with *tls.Certificate) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, Time: o.now}
	if with != nil {
		c.Certificates = []tls.Certificate{*with}
	}
	if o.CAFile == "" {
		return c, nil
	}
	b, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the authorities of the EST server: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("no certificate in %s", o.CAFile)
	}
	return c, nil
}

// readChain returns the certificates of an answer, the one for key first. The answer is
// a certs-only CMS in base64 (RFC 7030 §4.2.3).
func (o Opts) readChain(answer []byte, key *ecdsa.PrivateKey) ([]*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Map(dropSpace, string(answer)))
	if err != nil {
		return nil, errors.New("it is not in base64")
	}
	cms, err := pkcs7.Parse(der)
	if err != nil {
		return nil, errors.New("it holds no certificates (CMS)")
	}
	var chain, rest []*x509.Certificate
	for _, c := range cms.Certificates {
		if public, ok := c.PublicKey.(*ecdsa.PublicKey); ok && public.Equal(&key.PublicKey) {
			chain = append(chain, c)
		} else {
			rest = append(rest, c)
		}
	}
	switch {
	case len(chain) != 1:
		return nil, errors.New("it holds no certificate for the key of the request")
	case chain[0].Subject.CommonName != o.Name:
		return nil, fmt.Errorf("the certificate is for another name than %s", o.Name)
	case o.Synced && !o.now().Before(chain[0].NotAfter):
		return nil, errors.New("the certificate has ended already")
	}
	return append(chain, rest...), nil
}

// dropSpace drops the white space of base64.
func dropSpace(r rune) rune {
	if strings.ContainsRune(" \r\n\t", r) {
		return -1
	}
	return r
}

// writePair replaces the file by the chain and its key.
func (o Opts) writePair(chain []*x509.Certificate, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, c := range chain {
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			return err
		}
	}
	if err := pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
		return err
	}
	if err := state.Replace(o.File, b.Bytes(), ""); err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	return nil
}
