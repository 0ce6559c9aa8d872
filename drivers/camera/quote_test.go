package camera

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// foreign is what a camera sends where it must not; no error may hold it.
const foreign = "S3cretM4rk"

// answerRaw serves one answer as it is to each request, and returns the address.
func answerRaw(t *testing.T, l net.Listener, answer string) string {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 4096)
				if n, err := c.Read(b); n == 0 && err != nil {
					return
				}
				_, _ = io.WriteString(c, answer)
			}()
		}
	}()
	return l.Addr().String()
}

// No byte of a camera is in an error, whatever place of an answer it stands in.
func TestNoErrorQuotesACamera(t *testing.T) {
	const scan = "\xff\xd8\xff\xfe\x00\x20" + foreign + "\x9a\x01" + foreign
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for name, answer := range map[string]string{
		"a head without an end":  "HTTP/1.1 200 OK\r\nX-" + scan,
		"no head":                scan,
		"text, no head":          foreign + "\r\n\r\n",
		"a status":               "HTTP/1.1 " + foreign + "\r\n\r\n",
		"a status text":          "HTTP/1.1 404 " + foreign + "\r\n\r\n",
		"a type":                 "HTTP/1.1 200 OK\r\nContent-Type: text/" + foreign + "\r\n\r\nx",
		"a length":               "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: " + foreign + "\r\n\r\n" + scan,
		"a coding":               "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + foreign + "\r\n\r\n" + scan,
		"an encoding":            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip" + foreign + "\r\n\r\n" + scan,
		"no chunk":               "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n" + foreign + "\r\n" + scan,
		"a trailer":              "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\xff\xd8\r\n0\r\n" + foreign + "\x01\r\n",
		"a redirect":             "HTTP/1.1 302 Found\r\nLocation: http://" + foreign + "/\r\n\r\n",
		"a redirect to nowhere":  "HTTP/1.1 302 Found\r\nLocation: :" + foreign + "%zz\r\n\r\n",
		"a challenge":            "HTTP/1.1 401 No\r\nWWW-Authenticate: " + foreign + " realm=\"" + foreign + "\"\r\n\r\n",
		"the type of a part":     "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\nContent-Type: " + foreign + "\r\n\r\n" + foreign,
		"a boundary":             "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=" + foreign + "\r\n\r\n" + foreign,
		"a clip":                 "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n\x00\x00\x00\x18ftyp" + foreign,
		"a picture that is none": "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + scan,
	} {
		address := answerRaw(t, listen(), answer)
		ctx, done := context.WithTimeout(t.Context(), time.Minute)
		live := Live{Connect: 10 * time.Second, Stall: 10 * time.Second}
		for kind, open := range map[string]func() error{
			"stream": func() error {
				m, err := OpenMJPEG(ctx, "http://"+address+"/", Limits{}, HTTPOpts{User: "u", Password: "p", Live: live})
				if err != nil {
					return err
				}
				defer m.Close()
				w, h := m.Size()
				_, err = m.ReadInto(ctx, make([]byte, w*h))
				return err
			},
			"still": func() error {
				s, err := OpenSnapshot(ctx, "http://"+address+"/", Limits{}, SnapshotOpts{HTTPOpts: HTTPOpts{User: "u", Password: "p", Live: live}}, new(PollState))
				if err == nil {
					s.Close()
				}
				return err
			},
		} {
			if err := open(); err == nil || strings.Contains(strings.ToLower(err.Error()), strings.ToLower(foreign)) {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
		done()
	}
}

// The control of the rows above is the library's own text, which quotes: the same for a
// certificate.
func TestNoErrorQuotesACertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: foreign}, DNSNames: []string{foreign + ".example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	address := answerRaw(t, l, "")
	trusted := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted.AddCert(parsed)
	if _, err := tls.Dial("tcp", address, &tls.Config{RootCAs: trusted}); err == nil || !strings.Contains(err.Error(), foreign) && !strings.Contains(err.Error(), "doesn't contain any IP SANs") {
		t.Fatalf("control: the library says %v", err)
	}
	for want, conf := range map[string]*tls.Config{"not valid for this address": {RootCAs: trusted, ServerName: "camera.example"}, "unknown authority": {RootCAs: x509.NewCertPool(), ServerName: strings.ToLower(foreign) + ".example"}} {
		_, err := OpenMJPEG(t.Context(), "https://"+address+"/", Limits{}, HTTPOpts{TLS: conf, Live: Live{Connect: 30 * time.Second}})
		if text := fmt.Sprint(err); err == nil || strings.Contains(text, foreign) || !strings.Contains(text, want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
