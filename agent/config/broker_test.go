package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// siteWith returns a site file with these lines in [broker].
func siteWith(broker string) []byte {
	return []byte("[device]\nname = \"pi\"\nsite = \"kerb\"\ntenant = \"camden\"\n[broker]\n" + broker +
		"\n[[camera]]\nname = \"n\"\nsource = \"http://127.0.0.1:1/mjpeg\"\n[[camera.line]]\nid = \"a\"\nfrom = [0.0, 0.5]\nto = [1.0, 0.5]\n")
}

func TestAFleetIsSpreadAndABrokerOnThisMachineIsNot(t *testing.T) {
	for _, c := range []struct {
		broker           string
		spread, min, max time.Duration
	}{
		{`url = "mqtts://broker.example"`, 30 * time.Second, 30 * time.Second, 5 * time.Minute},
		{`url = "mqtt://127.0.0.1"`, 0, 0, 5 * time.Minute},
		{"url = \"mqtts://broker.example\"\nspread = \"0s\"\nretry_min = \"0s\"\nretry_max = \"1m\"", 0, 0, time.Minute},
		{"url = \"mqtt://localhost\"\nspread = \"10s\"\nretry_min = \"2s\"", 10 * time.Second, 2 * time.Second, 5 * time.Minute},
		{"url = \"mqtts://broker.example\"\nretry_max = \"10s\"", 30 * time.Second, 10 * time.Second, 10 * time.Second},
	} {
		s, err := Parse("site.toml", siteWith(c.broker))
		if err != nil {
			t.Errorf("%s: %v", c.broker, err)
			continue
		}
		if b := s.Broker; b.Spread != c.spread || b.RetryMin != c.min || b.RetryMax != c.max {
			t.Errorf("%s: %s, %s, %s", c.broker, b.Spread, b.RetryMin, b.RetryMax)
		}
	}
}

func TestTheKeysOfSendingHaveBounds(t *testing.T) {
	const url = "url = \"mqtts://broker.example\"\n"
	for line, want := range map[string]string{
		`client_id = "thing 1"`:                   "must be 1–128",
		`alpn = [""]`:                             "must be names",
		`confirm = "10s"`:                         "must be 1m–24h",
		`pace = "2h"`:                             "must be 0s–1h",
		`cap = 10`:                                "must be 64",
		`spread = "1h"`:                           "must be 0s–15m",
		`retry_min = "10m"`:                       "must not be above",
		`retry_max = "2h"`:                        "must be 1s–1h",
		"client_id = \"a\"\nconfirm = \"30m\"":    "",
		"newest = true\npace = \"2s\"\ncap = 500": "",
	} {
		_, err := Parse("site.toml", siteWith(url+line))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// kerb status and kerb spool read the device alone, without the places of the keys.
func TestADeviceIsReadFromAFileWithMistakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.toml")
	if err := os.WriteFile(path, siteWith("url = \"mqtts://broker.example\"\ncap = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := LoadDevice(path); err != nil || d.Name != "pi" {
		t.Errorf("%+v, %v", d, err)
	}
}

// The settings for cloud brokers in the notes are files that kerb accepts.
func TestTheSettingsForCloudBrokersAreValid(t *testing.T) {
	notes, err := os.ReadFile("../../firmware-notes/network.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key := selfSigned(t)
	blocks := regexp.MustCompile("(?s)```toml\n\\[broker\\]\n(.*?)```").FindAllSubmatch(notes, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d settings", len(blocks))
	}
	for _, b := range blocks {
		for _, name := range regexp.MustCompile(`_file = "(.*)"`).FindAllSubmatch(b[1], -1) {
			content := certificate
			if strings.HasSuffix(string(name[1]), ".key") {
				content = key
			}
			if err := os.WriteFile(filepath.Join(dir, string(name[1])), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Parse(filepath.Join(dir, "site.toml"), siteWith(string(b[1])))
		if err != nil || s.Broker.ClientID != "pi-0a1b" || s.Broker.CertFile == "" || s.Broker.RetryMin != 30*time.Second {
			t.Errorf("%s: %v", b[1], err)
		}
	}
}

// selfSigned returns a certificate and its key, in PEM.
func selfSigned(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}
