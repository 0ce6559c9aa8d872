package commission

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"

	"kerb/agent/terminal"
)

// aimPort is the TCP port of the page unless another program has it. It is always
// the same one, so that an engineer can remember it.
const aimPort = 8080

// OpenListeners listens at the given address, that of -listen, or else at every private and IPv4
// link-local address of this device (net.IP.IsPrivate: RFC 1918, RFC 4193). A public
// address must be named. first is the address that comes first where the device has it:
// the QR code holds it.
func OpenListeners(address, first string) (ls []net.Listener, err error) {
	if address != "" {
		l, err := net.Listen("tcp", address)
		if err != nil {
			if errors.Is(err, syscall.EADDRINUSE) {
				err = errors.New("another program, perhaps another kerb aim, has this port: end it, or choose another port")
			}
			return nil, terminal.UsageError(fmt.Sprintf("-listen %s: %v", address, err))
		}
		return []net.Listener{l}, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(addrs, func(a, b net.Addr) int { return cmp.Compare(orderOf(a, first), orderOf(b, first)) })
	for _, addr := range addrs {
		n, ok := addr.(*net.IPNet)
		if !ok || n.IP.IsLoopback() || !(n.IP.IsPrivate() || n.IP.IsLinkLocalUnicast() && n.IP.To4() != nil) {
			continue
		}
		for _, port := range []int{aimPort, 0} {
			if l, err := net.Listen("tcp", net.JoinHostPort(n.IP.String(), strconv.Itoa(port))); err == nil {
				ls = append(ls, l)
				break
			}
		}
	}
	if len(ls) == 0 {
		return nil, errors.New("this device has no local network that a telephone could join\n" +
			"hint: plug in a cable, bring up an access point, or give -listen 127.0.0.1:8080 and come by ssh -L 8080:127.0.0.1:8080")
	}
	return ls, nil
}

// orderOf returns 0 for an interface's address that is first, and 1 for others.
func orderOf(a net.Addr, first string) int {
	if n, ok := a.(*net.IPNet); ok && n.IP.Equal(net.ParseIP(first)) {
		return 0
	}
	return 1
}

// CloseListeners closes all listeners.
func CloseListeners(ls []net.Listener) {
	for _, l := range ls {
		l.Close()
	}
}

// joinListeners returns one listener that accepts the connections of all of ls,
// of which there is at least one.
func joinListeners(ls []net.Listener) net.Listener {
	if len(ls) == 1 {
		return ls[0]
	}
	j := &joinedListeners{all: ls, results: make(chan accepted), closed: make(chan struct{})}
	for _, l := range ls {
		go j.acceptFrom(l)
	}
	return j
}

// joinedListeners is a net.Listener over several addresses.
type joinedListeners struct {
	all     []net.Listener
	results chan accepted
	closed  chan struct{}
}

// accepted is the result of one Accept.
type accepted struct {
	conn net.Conn
	err  error
}

// acceptFrom sends the connections of one listener to results, until the first
// error or Close.
func (j *joinedListeners) acceptFrom(l net.Listener) {
	for {
		c, err := l.Accept()
		select {
		case j.results <- accepted{c, err}:
		case <-j.closed:
			if c != nil {
				c.Close()
			}
			return
		}
		if err != nil {
			return
		}
	}
}

// Accept returns the next connection of any listener, the error of a listener
// that failed, or net.ErrClosed after Close.
func (j *joinedListeners) Accept() (net.Conn, error) {
	select {
	case a := <-j.results:
		return a.conn, a.err
	case <-j.closed:
		return nil, net.ErrClosed
	}
}

// Close closes all listeners. A second call has no effect.
func (j *joinedListeners) Close() error {
	select {
	case <-j.closed:
		return nil
	default:
		close(j.closed)
	}
	CloseListeners(j.all)
	return nil
}

// Addr returns the address of the first listener.
func (j *joinedListeners) Addr() net.Addr { return j.all[0].Addr() }
