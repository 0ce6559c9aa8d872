package e2e

import (
	"encoding/pem"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TLS is spoken by sense, inside its walls: the supervisor hands over a bare
// connection, and what a camera says in a handshake is parsed where nothing
// can be done with it. The machine's trust is read before the walls stand.
func TestACameraOverHTTPSIsSeenInsideTheWalls(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t)
	var asked, failed atomic.Int64
	play := player(t)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		play.ServeHTTP(w, r)
	}))
	srv.Config.ErrorLog = log.New(counter{&failed}, "", 0)
	srv.StartTLS()
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	a := newAgent(t, m.url(), srv.URL+"/mjpeg")
	a.start()
	await(t, "a refusal of a certificate that nobody vouches for", func() bool { return failed.Load() > 0 })
	a.stop()
	if asked.Load() > 0 || !strings.Contains(a.log.String(), "certificate signed by unknown authority") {
		t.Errorf("asked %d times\n%s", asked.Load(), a.log.String())
	}
	trust := filepath.Join(a.dir, "trust.pem")
	if err := os.WriteFile(trust, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	status := listen(t, a)
	a.env = append(a.env, "SSL_CERT_FILE="+trust)
	a.log.Reset()
	a.start()
	await(t, "a request for pictures", func() bool { return asked.Load() > 0 })
	await(t, "pictures", func() bool { return strings.Contains(status(), "1 of 1 cameras deliver") })
	a.stop()
	if said := a.log.String(); !strings.Contains(said, "camera open") || strings.Contains(said, "camera lost") {
		t.Error(said)
	}
}

// counter counts written bytes.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(1)
	return len(b), nil
}

// listen is what systemd would hear of the agent: the last of its words.
func listen(t *testing.T, a *agent) (status func() string) {
	t.Helper()
	at := filepath.Join(a.dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	a.env = append(a.env, "NOTIFY_SOCKET="+at)
	var last atomic.Pointer[string]
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			said := string(b[:n])
			last.Store(&said)
		}
	}()
	return func() string {
		if s := last.Load(); s != nil {
			return *s
		}
		return ""
	}
}
