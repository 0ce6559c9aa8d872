package commission

import "net"

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
