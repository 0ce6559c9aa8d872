package est

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// patience is how long a test waits for what comes at once on an idle machine.
const patience = 3 * time.Minute

const siteText = `
[device]
name = "pi-1"
site = "high-street"
tenant = "camden"
state = "state"
clock_floor = "2020-01-01"
[broker]
url = "mqtts://localhost:%d"
ca_file = "ca.pem"
retry_max = "2s"
[enrol]
est = %q
ca_file = "ca.pem"
secret_file = "secret"
[[camera]]
name = "north"
source = "scene:calm?size=160x120"
detector = "motion"
[[camera.line]]
id = "across"
from = [0.0, 0.5]
to = [1.0, 0.5]
classes = ["person", "vehicle"]
`

// broker is a mosquitto that lets in certificates of the authority alone, and takes
// their common names for users.
type broker struct {
	t    *testing.T
	port int
	conf string
	cmd  *exec.Cmd
}

func (a *authority) broker(t *testing.T) *broker {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, port: l.Addr().(*net.TCPAddr).Port, conf: filepath.Join(dir, "conf")}
	l.Close()
	cert, key := newCertificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "broker"}, DNSNames: []string{"localhost"}}, a.cert, a.key)
	pair := writePEM(t, filepath.Join(dir, "broker.pem"), cert, key)
	text := fmt.Sprintf("user root\nlistener %d 127.0.0.1\nrequire_certificate true\nuse_identity_as_username true\ncafile %s\ncertfile %s\nkeyfile %s\nacl_file %s\n",
		b.port, writePEM(t, filepath.Join(dir, "ca.pem"), a.cert, nil), pair, pair, filepath.Join(dir, "acl"))
	if err := os.WriteFile(filepath.Join(dir, "acl"), []byte("user platform\ntopic read #\npattern readwrite kerb/v1/+/+/%u/#\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	t.Cleanup(b.kill)
	return b
}

func (b *broker) start() {
	b.t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		bin = "/usr/sbin/mosquitto"
		if _, err := os.Stat(bin); err != nil {
			b.t.Skip("no mosquitto: install the package mosquitto")
		}
	}
	b.cmd = exec.Command(bin, "-c", b.conf)
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *broker) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// platform reads the states of the device with a certificate of its own, and returns a
// function that returns when the device's certificate ends, by the latest state.
func (a *authority) platform(t *testing.T, b *broker) func() time.Time {
	t.Helper()
	cert, key := newCertificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "platform"}}, a.cert, a.key)
	var mu sync.Mutex
	var ends time.Time
	o := mqtt.NewClientOptions().AddBroker(fmt.Sprintf("ssl://localhost:%d", b.port)).SetClientID("platform").
		SetTLSConfig(&tls.Config{RootCAs: a.pool(), Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}).
		SetConnectRetry(true).SetConnectRetryInterval(time.Second).SetMaxReconnectInterval(time.Second).
		SetOnConnectHandler(func(c mqtt.Client) {
			c.Subscribe("kerb/v1/camden/high-street/pi-1/state", 1, func(_ mqtt.Client, m mqtt.Message) {
				var s struct {
					Online      bool
					Certificate struct{ Ends time.Time }
				}
				if json.Unmarshal(m.Payload(), &s) == nil && s.Online {
					mu.Lock()
					ends = s.Certificate.Ends
					mu.Unlock()
				}
			})
		})
	c := mqtt.NewClient(o)
	c.Connect()
	t.Cleanup(func() { c.Disconnect(100) })
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return ends
	}
}

// kerb run enrols with the secret on the card, logs in at the broker with the certificate,
// and shows the renewed one at its next connection.
func TestKerbRunEnrolsAndTheBrokerTakesTheCertificate(t *testing.T) {
	a := newAuthority(t)
	a.at, a.life = func() time.Time { return time.Now().Add(-65 * time.Minute) }, 90*time.Minute // due at once
	server, b := a.serve(t, nil), a.broker(t)
	ends := a.platform(t, b)
	dir := t.TempDir()
	bin := filepath.Join(dir, "kerb")
	build := exec.Command("go", "build", "-o", bin, "kerb/agent")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kerb: %v\n%s", err, out)
	}
	policy, err := os.ReadFile("../../configs/policy-standard.toml")
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, "ca.pem"), a.cert, nil)
	for name, text := range map[string]string{
		"site.toml": fmt.Sprintf(siteText, b.port, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)), "policy.toml": string(policy), "secret": "first\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := []string{"-site", filepath.Join(dir, "site.toml"), "-policy", filepath.Join(dir, "policy.toml")}
	var said bytes.Buffer
	agent := exec.Command(bin, append([]string{"run"}, files...)...)
	agent.Stderr = &said
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() { _ = agent.Process.Signal(os.Interrupt); _ = agent.Wait() })
	t.Cleanup(func() {
		if stop(); t.Failed() {
			t.Log(said.String())
		}
	})
	until(t, "the first state", func() bool { return !ends().IsZero() })
	first := ends()
	if _, err := os.Stat(filepath.Join(dir, "secret")); err == nil {
		t.Error("the secret is still there")
	}
	a.at, a.life = time.Now, 90*24*time.Hour
	out, err := exec.Command(bin, append([]string{"enrol"}, files...)...).CombinedOutput()
	if err != nil || !bytes.HasPrefix(out, []byte("renewed")) {
		t.Fatalf("%v\n%s", err, out)
	}
	b.kill()
	b.start()
	until(t, "a state with the renewed certificate", func() bool { return ends().After(first) })
	stop()
}

// until waits until ok.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}
