package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/config"
)

// A hatch is a Unix socket between the supervisor and a sensing process that
// can open nothing itself: it sends one byte, which means "my camera again",
// and is handed the open descriptor, or nothing. Neither side can say more.
type hatch struct{ conn *net.UnixConn }

const (
	pleaseOpen = 'o'
	isOpen     = '+'
	isNot      = '-'
)

// newHatch is one end that was inherited as a descriptor.
func newHatch(f *os.File) (hatch, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return hatch{}, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return hatch{}, errors.New("the hatch is no Unix socket")
	}
	return hatch{u}, nil
}

// newHatches is a pair of ends: ours, and the file for a child.
func newHatches() (hatch, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return hatch{}, nil, fmt.Errorf("socketpair: %w", err)
	}
	child := os.NewFile(uintptr(fds[1]), "hatch")
	h, err := newHatch(os.NewFile(uintptr(fds[0]), "hatch"))
	if err != nil {
		child.Close()
	}
	return h, child, err
}

// ask is for the one inside: the camera, opened anew. Only one may ask at a
// time.
func (h hatch) ask(ctx context.Context) (*os.File, error) {
	limit := time.Now().Add(pictureTime)
	if end, ok := ctx.Deadline(); ok && end.Before(limit) {
		limit = end
	}
	if err := h.conn.SetDeadline(limit); err != nil {
		return nil, err
	}
	if _, err := h.conn.Write([]byte{pleaseOpen}); err != nil {
		return nil, fmt.Errorf("ask for the camera: %w", err)
	}
	var answer [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := h.conn.ReadMsgUnix(answer[:], oob)
	if err != nil {
		return nil, fmt.Errorf("be handed the camera: %w", err)
	}
	if answer[0] != isOpen {
		return nil, errors.New("the camera cannot be reached")
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("be handed the camera: %d descriptors, %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("be handed the camera: %d descriptors, %w", len(fds), err)
	}
	return os.NewFile(uintptr(fds[0]), "camera"), nil
}

// dial is what an HTTP client inside uses instead of the network. Another
// address than the camera's own is refused here, and could not be reached.
func (h hatch) dial(own string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		if addr != own {
			return nil, fmt.Errorf("camera leads to %s: not followed", addr)
		}
		f, err := h.ask(ctx)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return net.FileConn(f)
	}
}

// breath is the least time between two openings: a camera, or a process, that
// asks for ever more gets them slowly.
const breath = 100 * time.Millisecond

// serve is for the one outside: opens for whoever asks, until the other end is
// closed. What is asked is one byte of no meaning but that.
func (h hatch) serve(ctx context.Context, open func(context.Context) (syscall.Conn, func() error, error), failed func(error)) {
	for ctx.Err() == nil {
		var b [1]byte
		if n, err := h.conn.Read(b[:]); n != 1 || err != nil || b[0] != pleaseOpen {
			return
		}
		err := h.hand(ctx, open)
		if err != nil {
			failed(err)
			_, _ = h.conn.Write([]byte{isNot})
		}
		select {
		case <-time.After(breath):
		case <-ctx.Done():
		}
	}
}

func (h hatch) hand(ctx context.Context, open func(context.Context) (syscall.Conn, func() error, error)) error {
	c, done, err := open(ctx)
	if err != nil {
		return err
	}
	defer done()
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		_, _, sent = h.conn.WriteMsgUnix([]byte{isOpen}, unix.UnixRights(int(fd)), nil)
	})
	return errors.Join(err, sent)
}

func (h hatch) Close() error { return h.conn.Close() }

// address is the one address of a network camera, host and port; "" if the
// camera has none.
func address(c config.Camera) string {
	u, err := url.Parse(c.Source)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// opener is how the supervisor opens a camera: by dialling its one address, or
// by opening its recording. A scene needs neither.
func opener(c config.Camera) (func(context.Context) (syscall.Conn, func() error, error), error) {
	if strings.HasPrefix(c.Source, "scene:") {
		return func(context.Context) (syscall.Conn, func() error, error) {
			return nil, nil, errors.New("a scene is not opened")
		}, nil
	}
	if at := address(c); at != "" {
		return func(ctx context.Context) (syscall.Conn, func() error, error) {
			conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", at)
			if err != nil {
				return nil, nil, err
			}
			tcp, ok := conn.(*net.TCPConn)
			if !ok {
				return nil, nil, errors.Join(fmt.Errorf("%s: not TCP", at), conn.Close())
			}
			return tcp, tcp.Close, nil
		}, nil
	}
	path := c.Source
	switch info, err := os.Stat(path); {
	case err != nil:
	case info.IsDir(), strings.EqualFold(filepath.Ext(path), ".jpg"), strings.EqualFold(filepath.Ext(path), ".jpeg"):
		return nil, fmt.Errorf("camera %s: %s: stills are for kerb replay: give a recording or an address", c.Name, path)
	}
	return func(context.Context) (syscall.Conn, func() error, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, err
		}
		return f, f.Close, nil
	}, nil
}

// sceneWords is the scene that stands in for a camera; "" for a real one.
func sceneWords(c config.Camera) string {
	words, _ := strings.CutPrefix(c.Source, "scene:")
	if words == c.Source {
		return ""
	}
	return words
}
