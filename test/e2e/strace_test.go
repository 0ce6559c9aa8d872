package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// uplinkSite is a site whose broker has a name that the test's own hosts file gives.
const uplinkSite = `
[device]
name = "pi-0a1b"
site = "high-street"
tenant = "camden"
state = "state"
clock_floor = "2020-01-01"
bench = true
[broker]
url = %q
retry_max = "1s"
retry_min = "0s"
spread = "0s"
%s
[[camera]]
name = "north"
source = "scene:calm"
[[camera.line]]
id = "across"
from = [0.0, 0.5]
to = [1.0, 0.5]
classes = ["person", "vehicle"]
`

// The process that speaks to the broker opens neither a socket nor a file outside the
// state directory, whatever happens to the connection: it is made, made with TLS and a
// password, lost and made again, to a name that moves to another address, and through
// a proxy. strace sees the calls that the kernel refuses, too.
func TestTheUplinkOpensNoSocketAndNoFile(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it runs kerb three times")
	}
	strace, err := exec.LookPath("strace")
	if err != nil || os.Getuid() != 0 {
		t.Skip("only root may trace a process that is not dumpable, with the package strace")
	}
	t.Parallel()
	dir := t.TempDir()
	makeBrokerCertificate(t, dir)
	secret := filepath.Join(dir, "password")
	for path, text := range map[string]string{secret: "hush\n", filepath.Join(dir, "users"): ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("mosquitto_passwd", "-b", filepath.Join(dir, "users"), "pi", "hush").CombinedOutput(); err != nil {
		t.Skipf("mosquitto_passwd: %v %s", err, out)
	}
	a := newAgent(t, "mqtt://broker.test", "scene:calm")
	for _, c := range []struct {
		name, scheme, keys string
		broker             []string
		proxy              bool
	}{
		{name: "plain", scheme: "mqtt"}, // with KERB_LONG alone: TLS has all of its calls
		{
			name: "TLS and a password", scheme: "mqtts", keys: fmt.Sprintf("user = \"pi\"\npassword_file = %q\nca_file = %q", secret, filepath.Join(dir, "cert.pem")),
			broker: []string{
				"allow_anonymous false", "password_file " + filepath.Join(dir, "users"),
				"certfile " + filepath.Join(dir, "cert.pem"), "keyfile " + filepath.Join(dir, "key.pem"),
			},
		},
		{name: "a WebSocket through a proxy", scheme: "ws", proxy: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "plain" && os.Getenv("KERB_LONG") == "" {
				t.Skip("KERB_LONG=1 runs it")
			}
			m := &mosquitto{t: t}
			if c.proxy {
				m.port = serveWebSocket(t)
			} else {
				m = startMosquitto(t, c.broker...)
				m.kill()
			}
			moved, forwarded := relay(t, fmt.Sprintf("127.0.0.2:%d", m.port), fmt.Sprintf("127.0.0.1:%d", m.port))
			site := fmt.Sprintf(uplinkSite, fmt.Sprintf("%s://broker.test:%d", c.scheme, m.port), c.keys)
			if err := os.WriteFile(filepath.Join(a.dir, "site.toml"), []byte(site), 0o600); err != nil {
				t.Fatal(err)
			}
			a.env = nil
			var drop func()
			if c.proxy {
				var address string
				address, drop = connectProxy(t, fmt.Sprintf("127.0.0.1:%d", m.port))
				a.env = []string{"HTTP_PROXY=" + address}
			}
			hosts := filepath.Join(a.dir, "hosts")
			writeHosts := func(address string) {
				if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n"+address+" broker.test\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			writeHosts("127.0.0.1")
			a.log.Reset()
			a.startWithHosts(hosts)
			defer a.kill()
			defer func() {
				if t.Failed() {
					t.Log(a.log.String())
				}
			}()
			await(t, "the uplink", func() bool { return strings.Contains(a.log.String(), "speaking") })
			trace, beside := filepath.Join(a.dir, "uplink.strace"), filepath.Join(a.dir, "run.strace")
			detach := attachStrace(t, strace, a.processes()["uplink"], trace)
			detachRun := attachStrace(t, strace, a.cmd.Process.Pid, beside)
			connections := func() int { return strings.Count(a.log.String(), "connected") }
			if c.proxy {
				for range 2 {
					before := connections()
					drop()
					await(t, "another connection through the proxy", func() bool { return connections() > before })
				}
			} else {
				m.start()
				await(t, "the first connection", func() bool { return connections() >= 1 })
				m.kill()
				m.start()
				await(t, "the second connection", func() bool { return connections() >= 2 })
				writeHosts("127.0.0.2")
				await(t, "a connection at the new address", func() bool {
					// Go's resolver remembers the hosts file for five seconds.
					m.kill()
					m.start()
					for range 50 {
						if time.Sleep(100 * time.Millisecond); forwarded.Load() > 0 {
							return true
						}
					}
					return false
				})
			}
			moved.Close()
			detach()
			detachRun()
			calls := readStrace(t, trace)
			if len(calls) == 0 {
				t.Error("strace saw no call at all")
			}
			for _, call := range calls {
				if word := forbiddenCall(call, a.dir); word != "" {
					t.Errorf("%s: %s", word, call)
				}
			}
			found := 0
			for _, call := range readStrace(t, beside) {
				if forbiddenCall(call, a.dir) != "" {
					found++
				}
			}
			t.Logf("%s: %d calls of the uplink, none forbidden; %d connections; the supervisor opens %d sockets and files for it", c.name, len(calls), connections(), found)
			if found < 4 {
				t.Errorf("control: of the process that dials only %d sockets and files were seen", found)
			}
		})
	}
}

// startWithHosts starts kerb with a hosts file of its own, in a mount namespace.
func (a *agent) startWithHosts(hosts string) {
	a.t.Helper()
	script := fmt.Sprintf(`mount --make-rprivate / && mount --bind %q /etc/hosts && exec "$@"`, hosts)
	a.cmd = exec.Command("unshare", "-m", "sh", "-c", script, "sh", a.bin, "run", "-site", filepath.Join(a.dir, "site.toml"), "-policy", filepath.Join(a.dir, "policy.toml"))
	a.cmd.Stderr, a.cmd.Env = &a.log, append(os.Environ(), a.env...)
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
}

// attachStrace traces a process and its threads until detach is called.
func attachStrace(t *testing.T, strace string, pid int, out string) (detach func()) {
	t.Helper()
	cmd := exec.Command(strace, "-f", "-e", "trace=%network,open,openat,openat2,creat", "-p", fmt.Sprint(pid), "-o", out)
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "attached") {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Skipf("strace cannot attach: %q %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}
}

// readStrace returns the calls in a trace.
func readStrace(t *testing.T, path string) (calls []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "(") && !strings.Contains(line, "resumed>") {
			calls = append(calls, strings.TrimSpace(line))
		}
	}
	return calls
}

// openedPath matches a call that opens a file, with its path.
var openedPath = regexp.MustCompile(`\b(?:open|openat|openat2|creat)\((?:[A-Z_0-9]+, )?"([^"]*)"`)

// forbiddenCall names the rule that a call of the uplink breaks; "" for one that it may make.
func forbiddenCall(call, dir string) string {
	for _, name := range []string{"socket(", "socketpair(", "connect(", "bind(", "listen(", "accept4(", "sendto(", "sendmsg(", "sendmmsg("} {
		if strings.Contains(call, " "+name) {
			return "a call of the network"
		}
	}
	m := openedPath.FindStringSubmatch(call)
	if m == nil || strings.HasPrefix(m[1], filepath.Join(dir, "state")) || strings.HasPrefix(m[1], "state/") {
		return ""
	}
	return "a file outside the state directory"
}

// relay forwards the connections at one address to another, and counts them.
func relay(t *testing.T, from, to string) (net.Listener, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	n := new(atomic.Int64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			go join(c, to)
		}
	}()
	return l, n
}

// join copies between a connection and an address until one side ends.
func join(c net.Conn, to string) {
	defer c.Close()
	d, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer d.Close()
	go func() {
		_, _ = io.Copy(d, c)
		d.Close()
	}()
	_, _ = io.Copy(c, d)
}

// connectProxy is an HTTP proxy for CONNECT that leads every name to one address. drop
// ends its connections.
func connectProxy(t *testing.T, to string) (address string, drop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			go func() {
				in := bufio.NewReader(c)
				req, err := http.ReadRequest(in)
				if err != nil || req.Method != http.MethodConnect {
					c.Close()
					return
				}
				if _, err := io.WriteString(c, "HTTP/1.1 200 Connected\r\n\r\n"); err == nil {
					join(c, to)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
		open = nil
	}
}

// makeBrokerCertificate writes cert.pem and key.pem for broker.test.
func makeBrokerCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker.test"}, DNSNames: []string{"broker.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
