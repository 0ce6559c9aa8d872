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

// A hatch is a Unix socket between the supervisor and a sensing process that
// can open nothing itself: it sends one byte, which means "my camera again" or
// one of the few things beside it, and is handed open descriptors, or nothing.
// Neither side can say more.
type Conn struct{ sock *net.UnixConn }

// What can be asked for, and the answers.
const (
	RequestCamera = 'o' // the camera: one descriptor
	RequestAVC    = '4' // a decoder of H.264: what it reads, what it writes
	RequestHEVC   = '5' // a decoder of H.265, likewise
	RequestClip   = 'c' // a decoder of MP4, likewise
	RequestUDP    = 'u' // two UDP sockets, at an even port and the one after it
	answerOpen    = '+'
	answerRefused = '-'
	maxFDs        = 2
	handedBytes   = 4 * maxFDs
)

// newHatch is one end that was inherited as a descriptor.
func NewConn(f *os.File) (Conn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return Conn{}, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return Conn{}, errors.New("the hatch is no Unix socket")
	}
	return Conn{u}, nil
}

// newHatches is a pair of ends: ours, and the file for a child.
func NewPair() (Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Conn{}, nil, fmt.Errorf("socketpair: %w", err)
	}
	child := os.NewFile(uintptr(fds[1]), "hatch")
	h, err := NewConn(os.NewFile(uintptr(fds[0]), "hatch"))
	if err != nil {
		child.Close()
	}
	return h, child, err
}

// open is for the one inside: what it asks for, opened. Only one may ask at a
// time.
func (c Conn) Request(ctx context.Context, what byte) ([]int, error) {
	limit := time.Now().Add(PictureTimeout)
	if end, ok := ctx.Deadline(); ok && end.Before(limit) {
		limit = end
	}
	if err := c.sock.SetDeadline(limit); err != nil {
		return nil, err
	}
	if _, err := c.sock.Write([]byte{what}); err != nil {
		return nil, fmt.Errorf("ask for the camera: %w", err)
	}
	var answer [1]byte
	oob := make([]byte, unix.CmsgSpace(handedBytes))
	_, n, _, _, err := c.sock.ReadMsgUnix(answer[:], oob)
	if err != nil {
		return nil, fmt.Errorf("be handed the camera: %w", err)
	}
	if answer[0] != answerOpen {
		return nil, errors.New("the camera, or what it needs, cannot be opened: the supervisor says why")
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("be handed the camera: %d messages, %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, fmt.Errorf("be handed the camera: %w", err)
	}
	return fds, nil
}

// minInterval is the least time between two openings: a camera, or a process, that
// asks for ever more gets them slowly.
const minInterval = 100 * time.Millisecond

// serve is for the one outside: opens for whoever asks, until the other end is
// closed. What is asked is one byte.
func (c Conn) Serve(ctx context.Context, open func(context.Context, byte) ([]*os.File, error), failed func(error)) {
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
			failed(err)
			_, _ = c.sock.Write([]byte{answerRefused})
		}
		select {
		case <-time.After(minInterval):
		case <-ctx.Done():
		}
	}
}

// sendFiles sends descriptors and closes its own.
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

// loose takes the descriptors out of files, which are closed.
func DetachFDs(files []*os.File) (fds []int, err error) {
	for _, f := range files {
		raw, e := f.SyscallConn()
		if e == nil {
			e = raw.Control(func(fd uintptr) {
				var n int
				if n, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
					fds = append(fds, n)
				}
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

// An opener gives descriptors: a hatch asks for them, a door opens them.
type Requester interface {
	Request(ctx context.Context, what byte) ([]int, error)
}

// pictureTime is how long one picture, or one opening, may take. The drivers give
// up much sooner.
const PictureTimeout = 30 * time.Second

// PrivateDevicesHint returns what to do where systemd hides all devices from
// this process (PrivateDevices=), as the end of an error text; otherwise "".
func PrivateDevicesHint() string {
	if _, err := os.Stat("/dev/kmsg"); err == nil || os.Getenv("INVOCATION_ID") == "" {
		return ""
	}
	return "; kerb.service sees no device until camera.conf, or for loops loops.conf, of /usr/share/doc/kerb/examples is in /etc/systemd/system/kerb.service.d"
}
