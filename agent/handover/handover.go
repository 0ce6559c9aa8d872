// Package handover passes open descriptors over a Unix socket (SCM_RIGHTS,
// unix(7)) from the supervisor to a process that is not allowed to open files.
//
// A request is one byte, one of the Request constants. The answer is one byte
// with at most two descriptors, or one byte that refuses. A request carries no
// address, no path and no text. So a process that was taken over cannot choose a
// file or an address. An answer carries none either, but for the process that
// speaks to the broker, which is told the reason of a refusal as text.
package handover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one end of the socket between the supervisor, which calls Serve, and a
// child, which calls Request. The zero Conn is no connection.
type Conn struct{ sock *net.UnixConn }

// The requests, with the descriptors of their answers.
const (
	RequestCamera = 'o' // the camera, opened again: one descriptor
	RequestHEVC   = '5' // a decoder of H.265: its standard input and its standard output
	RequestUDP    = 'u' // two UDP sockets, at an even port and at the next one

	RequestBroker      = 'b' // a TCP connection to the broker, or to the proxy before it: one descriptor
	RequestPassword    = 'p' // the file of the broker's password, for reading: one descriptor, as are those below
	RequestAuthorities = 'a' // the file of the broker's certificate authorities
	RequestCertificate = 'c' // the file of the device's certificate
	RequestKey         = 'k' // the file of its key
)

// The answers, and the size of the descriptors that come with one.
const (
	answerOpen    = '+'
	answerRefused = '-'
	maxFDs        = 2
	maxFDBytes    = 4 * maxFDs // an int32 each
	maxReason     = 240        // bytes of the reason of a refusal; chosen by hand
)

// NewConn makes a Conn of an inherited descriptor, and closes f. It is an error
// where f is no Unix socket.
func NewConn(f *os.File) (Conn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return Conn{}, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return Conn{}, errors.New("the handover is no Unix socket")
	}
	return Conn{u}, nil
}

// NewPair makes a connected pair: the parent's end, and the file for a child to
// inherit.
func NewPair() (Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Conn{}, nil, fmt.Errorf("socketpair: %w", err)
	}
	child := os.NewFile(uintptr(fds[1]), "handover")
	c, err := NewConn(os.NewFile(uintptr(fds[0]), "handover"))
	if err != nil {
		child.Close()
	}
	return c, child, err
}

// ErrNotOpened reports that the other side could not open the file or address it was asked for. That
// side knows the reason and logs it, or tells it as a RefusedError.
var ErrNotOpened = errors.New("the camera, or what it needs, cannot be opened: the supervisor says why")

// RefusedError is ErrNotOpened with the reason, as ServeReasons tells it.
type RefusedError string

// Error returns the reason.
func (e RefusedError) Error() string { return string(e) }

// Is makes a RefusedError equal to ErrNotOpened.
func (e RefusedError) Is(target error) bool { return target == ErrNotOpened }

// Request asks for one of the Request constants and returns the descriptors,
// which the caller closes. It waits for at most PictureTimeout or until the
// deadline of ctx. It must not be called by two goroutines at once.
func (c Conn) Request(ctx context.Context, what byte) ([]int, error) {
	limit := time.Now().Add(PictureTimeout)
	if end, ok := ctx.Deadline(); ok && end.Before(limit) {
		limit = end
	}
	if err := c.sock.SetDeadline(limit); err != nil {
		return nil, err
	}
	if _, err := c.sock.Write([]byte{what}); err != nil {
		return nil, fmt.Errorf("ask the supervisor: %w", err)
	}
	var answer [1 + maxReason]byte
	oob := make([]byte, unix.CmsgSpace(maxFDBytes))
	size, n, _, _, err := c.sock.ReadMsgUnix(answer[:], oob)
	switch {
	case err != nil:
		return nil, fmt.Errorf("be handed a descriptor: %w", err)
	case answer[0] != answerOpen && size > 1:
		return nil, RefusedError(answer[1:size])
	case answer[0] != answerOpen:
		return nil, ErrNotOpened
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return nil, fmt.Errorf("be handed a descriptor: %w", err)
	}
	if len(messages) != 1 {
		return nil, fmt.Errorf("be handed a descriptor: %d control messages, want one", len(messages))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, fmt.Errorf("be handed a descriptor: %w", err)
	}
	return fds, nil
}

// minInterval is the least time between two answers, chosen by hand. It bounds
// the work that a camera which breaks at once, or a process that was taken over,
// can cause.
const minInterval = 100 * time.Millisecond

// Serve answers requests with the files that open returns, which it closes, until
// the other end is closed or ctx ends. An error of open is passed to failed, and
// the child is refused without the reason.
func (c Conn) Serve(ctx context.Context, open func(context.Context, byte) ([]*os.File, error), failed func(error)) {
	c.serve(ctx, open, 1, func(err error) string {
		failed(err)
		return ""
	})
}

// burst is how many requests of ServeReasons in a row are answered at once: a
// connection to the broker needs five. Chosen by hand.
const burst = 8

// ServeReasons is Serve for a process that is told why it is refused: the first 240
// bytes of the error's text, which must hold nothing from a camera.
func (c Conn) ServeReasons(ctx context.Context, open func(context.Context, byte) ([]*os.File, error)) {
	c.serve(ctx, open, burst, error.Error)
}

// serve answers requests, so many at once and then one in each minInterval. A refusal
// goes with the text of reason.
func (c Conn) serve(ctx context.Context, open func(context.Context, byte) ([]*os.File, error), atOnce int, reason func(error) string) {
	var due time.Time // when the last request would be answered at one in each minInterval
	defer context.AfterFunc(ctx, func() { _ = c.sock.SetReadDeadline(time.Unix(1, 0)) })()
	for ctx.Err() == nil {
		var b [1]byte
		if n, err := c.sock.Read(b[:]); n != 1 || err != nil {
			return
		}
		files, err := open(ctx, b[0])
		if err == nil {
			err = c.sendFiles(files)
		}
		if err != nil {
			text := reason(err)
			_, _ = c.sock.Write(append([]byte{answerRefused}, text[:min(len(text), maxReason)]...))
		}
		if now := time.Now(); due.Before(now) {
			due = now
		}
		due = due.Add(minInterval)
		select {
		case <-time.After(time.Until(due) - time.Duration(atOnce-1)*minInterval):
		case <-ctx.Done():
		}
	}
}

// sendFiles sends the descriptors of files and closes its own.
func (c Conn) sendFiles(files []*os.File) error {
	fds, err := DetachFDs(files)
	if err != nil {
		return err
	}
	_, _, err = c.sock.WriteMsgUnix([]byte{answerOpen}, unix.UnixRights(fds...), nil)
	for _, fd := range fds {
		err = errors.Join(err, unix.Close(fd))
	}
	return err
}

// DetachFDs duplicates the descriptors of files (F_DUPFD_CLOEXEC) and closes the
// files. After an error no descriptor stays open.
func DetachFDs(files []*os.File) (fds []int, err error) {
	for _, f := range files {
		raw, e := f.SyscallConn()
		if e == nil {
			e = raw.Control(func(fd uintptr) {
				n, failed := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
				if failed == nil {
					fds = append(fds, n)
				}
				err = errors.Join(err, failed)
			})
		}
		err = errors.Join(err, e, f.Close())
	}
	if err != nil {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return nil, err
	}
	return fds, nil
}

// Close closes the socket. The zero Conn has none.
func (c Conn) Close() error {
	if c.sock == nil {
		return nil
	}
	return c.sock.Close()
}

// Requester returns open descriptors for one of the Request constants: Conn asks
// another process for them, opener.Local opens them in this one.
type Requester interface {
	Request(ctx context.Context, what byte) ([]int, error)
}

// PictureTimeout is the longest that one picture or one request may take, chosen
// by hand. The drivers' own limits are much shorter.
const PictureTimeout = 30 * time.Second

// PrivateDevicesHint returns what to do where systemd hides all devices from
// this process (PrivateDevices=), as the end of an error text; otherwise "".
func PrivateDevicesHint() string {
	if _, err := os.Stat("/dev/kmsg"); err == nil || os.Getenv("INVOCATION_ID") == "" {
		return ""
	}
	return "; kerb.service sees no device until camera.conf, or for loops loops.conf, of /usr/share/doc/kerb/examples is in /etc/systemd/system/kerb.service.d"
}
