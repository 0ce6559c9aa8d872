package aim

import (
	"io"
	"log"
	"net"
	"sync"
)

// discardLog returns the log of the HTTP server: connection errors of unknown
// peers would fill the terminal.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// addressShare is the part of the connections that one address may have: a third.
// Chosen by hand.
const addressShare = 3

// limitListener accepts at most so many connections at a time, a third of them
// (rounded up) from one address, and from the same network only. A further
// connection is closed at once: if it had to wait, an attacker's connections
// would hold up the engineer's.
func limitListener(l net.Listener, most int) net.Listener {
	return &limitedListener{Listener: l, most: most, from: map[string]int{}}
}

// limitedListener counts the open connections by address.
type limitedListener struct {
	net.Listener
	most int

	mu   sync.Mutex
	all  int
	from map[string]int
}

// Accept waits for the next connection within the limits.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil || !isSameNetwork(c) || !l.acquireSlot(host) {
			c.Close()
			continue
		}
		return &limitedConn{Conn: c, onClose: func() { l.releaseSlot(host) }}, nil
	}
}

// acquireSlot reserves a connection for an address, if the limits allow it.
func (l *limitedListener) acquireSlot(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.most || l.from[host] >= (l.most+addressShare-1)/addressShare {
		return false
	}
	l.all++
	l.from[host]++
	return true
}

// releaseSlot gives the connection of an address back.
func (l *limitedListener) releaseSlot(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.from[host]--; l.from[host] == 0 {
		delete(l.from, host)
	}
}

// limitedConn is a connection that gives its slot back when it is closed.
type limitedConn struct {
	net.Conn
	once    sync.Once
	onClose func()
}

// Close closes the connection and gives its slot back once.
func (h *limitedConn) Close() error {
	h.once.Do(h.onClose)
	return h.Conn.Close()
}

// isSameNetwork reports whether the other end is in the network of the local
// address, so that its packets came over no router. Loopback and link-local
// addresses are.
func isSameNetwork(c net.Conn) bool {
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
