// Package nats kills the nodes of a JetStream cluster under the wire. It is a
// module of its own, so that the binary's list of dependencies does not have
// to vouch for a message broker.
package nats

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const nodes = 3

// nodeConfig, when set, makes this test program one node.
const nodeConfig = "KERB_NATS_NODE"

func TestMain(m *testing.M) {
	conf := os.Getenv(nodeConfig)
	if conf == "" {
		os.Exit(m.Run())
	}
	o, err := server.ProcessConfigFile(conf)
	if err == nil {
		var s *server.Server
		if s, err = server.NewServer(o); err == nil {
			s.Start()
			s.WaitForShutdown()
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// cluster is three processes.
type cluster struct {
	t     *testing.T
	mqtt  [nodes]int
	watch [nodes]int
	conf  [nodes]string
	cmd   [nodes]*exec.Cmd
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t}
	var listen, route [nodes]int
	var routes []string
	for i := range nodes {
		listen[i], route[i], c.mqtt[i], c.watch[i] = freePort(t), freePort(t), freePort(t), freePort(t)
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", route[i]))
	}
	dir := t.TempDir()
	for i := range nodes {
		c.conf[i] = filepath.Join(dir, fmt.Sprintf("node-%d.conf", i))
		text := fmt.Sprintf(`
server_name: node-%d
listen: 127.0.0.1:%d
http: 127.0.0.1:%d
max_connections: 20000
jetstream { store_dir: %q, max_file_store: 4GB }
mqtt { host: 127.0.0.1, port: %d, stream_replicas: 3, max_ack_pending: 1024 }
cluster { name: kerb, listen: 127.0.0.1:%d, routes: [%s] }
`, i, listen[i], c.watch[i], filepath.Join(dir, fmt.Sprint("store-", i)), c.mqtt[i], route[i], strings.Join(routes, ", "))
		if err := os.WriteFile(c.conf[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range nodes {
			c.kill(i)
		}
	})
	c.healthy()
	return c
}

func (c *cluster) start(i int) {
	c.t.Helper()
	c.cmd[i] = exec.Command(os.Args[0])
	c.cmd[i].Env = append(os.Environ(), nodeConfig+"="+c.conf[i])
	if err := c.cmd[i].Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) kill(i int) {
	_ = c.cmd[i].Process.Kill()
	_ = c.cmd[i].Wait()
}

// healthy waits until every node says so.
func (c *cluster) healthy() {
	c.t.Helper()
	end := time.Now().Add(90 * time.Second)
	for i := 0; i < nodes; {
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", c.watch[i]))
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				i++
				continue
			}
		}
		if time.Now().After(end) {
			c.t.Fatalf("node %d is not healthy: %v", i, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// balancer is the one address of the cluster: it takes each connection to the
// first node that answers, and remembers which.
type balancer struct {
	net.Listener
	c     *cluster
	wg    sync.WaitGroup
	mu    sync.Mutex
	node  int
	conns []net.Conn
}

func newBalancer(t *testing.T, c *cluster, first int) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{Listener: l, c: c, node: first}
	b.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			b.connect(in)
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.mu.Lock()
		for _, c := range b.conns {
			c.Close()
		}
		b.mu.Unlock()
		b.wg.Wait()
	})
	return b
}

func (b *balancer) connect(in net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range nodes {
		out, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", b.c.mqtt[b.node]))
		if err == nil {
			b.conns = append(b.conns, in, out)
			b.wg.Go(func() { pass(in, out) })
			b.wg.Go(func() { pass(out, in) })
			return
		}
		b.node = (b.node + 1) % nodes
	}
	in.Close()
}

func (b *balancer) connected() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.node
}

func pass(dst, src net.Conn) {
	defer dst.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := src.Read(b)
		if n > 0 {
			if _, werr := dst.Write(b[:n]); werr != nil {
				src.Close()
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
