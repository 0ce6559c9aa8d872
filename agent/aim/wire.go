package aim

import (
	"io"
	"log"
	"net"
	"sync"
)

// silent is for what the HTTP server would tell the terminal of every stranger
// who hangs up.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// limited accepts at most so many connections at a time, and a third of them
// from one address. One more is closed at once, rather than made to wait: what
// waits would wait behind those who came to make it wait.
func limited(l net.Listener, most int) net.Listener {
	return &limit{Listener: l, most: most, from: map[string]int{}}
}

type limit struct {
	net.Listener
	most int

	mu   sync.Mutex
	all  int
	from map[string]int
}

func (l *limit) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil || !near(c) || !l.take(host) {
			c.Close()
			continue
		}
		return &held{Conn: c, gone: func() { l.give(host) }}, nil
	}
}

func (l *limit) take(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.most || l.from[host] >= (l.most+2)/3 {
		return false
	}
	l.all++
	l.from[host]++
	return true
}

func (l *limit) give(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.from[host]--; l.from[host] == 0 {
		delete(l.from, host)
	}
}

type held struct {
	net.Conn
	once sync.Once
	gone func()
}

func (h *held) Close() error {
	h.once.Do(h.gone)
	return h.Conn.Close()
}

// near reports whether the other end is on the same wire: within the network
// of the address that it came to. What a router passed on is from afar.
func near(c net.Conn) bool {
	theirs, ok := c.RemoteAddr().(*net.TCPAddr)
	ours, also := c.LocalAddr().(*net.TCPAddr)
	if !ok || !also {
		return true // not TCP: a pipe, or a Unix socket
	}
	if theirs.IP.IsLoopback() || theirs.IP.IsLinkLocalUnicast() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ours.IP) {
			return n.Contains(theirs.IP)
		}
	}
	return false
}
