package config

import (
	"cmp"
	"net/url"
	"path/filepath"

	"kerb/agent/state"
)

// Enrol says where the device gets its certificate from: an EST server (RFC 7030). The
// broker's CertFile and KeyFile are then one file in the state directory.
type Enrol struct {
	Server     *url.URL // https; nil: the device does not enrol
	User       string   // with the secret
	CAFile     string   // PEM; empty: the system's
	SecretFile string   // with the one-time secret; the file may be gone after its use
}

type enrolFile struct {
	EST        string `toml:"est"`
	User       string `toml:"user"`
	CAFile     string `toml:"ca_file"`
	SecretFile string `toml:"secret_file"`
}

// checkEnrol checks the table [enrol].
func (c checker) checkEnrol(e enrolFile, b brokerFile) {
	if !c.HasKey("enrol") {
		return
	}
	u, err := url.Parse(e.EST)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		c.Reject("enrol.est", "must be https:// and a host, with the server's label behind it where it has one", `for example est = "https://est.example:8443"`)
	case !isHost(u.Hostname()) || !isPort(u.Port()):
		c.Reject("enrol.est", hostRule+", and a port of 1–65535", hostHint)
	case u.User != nil:
		c.RejectSecret("enrol.est", "must not hold a user or password", "use enrol.user and enrol.secret_file")
	}
	if b.CertFile+b.KeyFile != "" {
		c.Reject("broker.cert_file", "must be left out, and key_file too, beside [enrol]", "the certificate lies in the state directory")
	}
	if u, err := url.Parse(b.URL); err == nil && u.Scheme != "mqtts" && u.Scheme != "wss" {
		c.Reject("broker.url", "must be mqtts:// or wss:// beside [enrol]", "a certificate is of no use without TLS")
	}
	c.checkVerbatim("enrol.user", e.User)
	c.checkFile("enrol.ca_file", e.CAFile)
	c.checkPEM("enrol.ca_file", e.CAFile, certificatePEM)
	c.checkPassword("enrol.secret_file", e.SecretFile)
}

// setEnrol sets the values of [enrol], and where the broker's certificate lies then.
func (s *Site) setEnrol(e enrolFile) {
	u, err := url.Parse(e.EST)
	if err != nil || e.EST == "" {
		return
	}
	s.Enrol = Enrol{
		Server: u, User: cmp.Or(e.User, s.Device.Name),
		CAFile: resolvePath(s.Dir(), e.CAFile), SecretFile: resolveSecret(s.Dir(), e.SecretFile),
	}
	s.Broker.CertFile = filepath.Join(s.Device.State, state.CertificateFile)
	s.Broker.KeyFile = s.Broker.CertFile
}
