package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An open function answers the requests of one test.
type open = func(context.Context, byte) ([]*os.File, error)

// startServe serves one end of a new pair with open. It returns the other end, the
// errors that Serve passed to failed, and a channel that is closed at Serve's end.
func startServe(ctx context.Context, t *testing.T, o open) (asking *net.UnixConn, failed chan error, ended chan struct{}) {
	t.Helper()
	serving, file, err := NewPair()
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewConn(file)
	if err != nil {
		t.Fatal(err)
	}
	failed, ended = make(chan error, 8), make(chan struct{})
	go func() {
		defer close(ended)
		serving.Serve(ctx, o, func(err error) { failed <- err })
	}()
	t.Cleanup(func() {
		c.Close()
		<-ended
		serving.Close()
	})
	return c.sock, failed, ended
}

// newPipe makes a pipe that the end of the test closes.
func newPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// newFDFile makes a file of a received descriptor, which the end of the test closes.
func newFDFile(t *testing.T, fd int) *os.File {
	t.Helper()
	f := os.NewFile(uintptr(fd), "received")
	t.Cleanup(func() { f.Close() })
	return f
}

// linkOf returns the object of a descriptor as /proc/self/fd names it. Both ends
// of one pipe have the same name.
func linkOf(t *testing.T, fd uintptr) string {
	t.Helper()
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// countFDs counts the descriptors of this process for one object.
func countFDs(t *testing.T, object string) (n int) {
	t.Helper()
	all, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range all {
		if name, err := os.Readlink(fd); err == nil && name == object {
			n++
		}
	}
	return n
}

func TestTheRequestedDescriptorsArriveOpenAndInOrder(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var read, write []*os.File
			for range n {
				r, w := newPipe(t)
				read, write = append(read, r), append(write, w)
			}
			var requests []byte
			sock, failed, ended := startServe(t.Context(), t, func(_ context.Context, request byte) ([]*os.File, error) {
				requests = append(requests, request)
				return read, nil
			})
			fds, err := Conn{sock}.Request(t.Context(), RequestUDP)
			if err != nil || len(fds) != n {
				t.Fatalf("%d descriptors, %v", len(fds), err)
			}
			for i, fd := range fds {
				f := newFDFile(t, fd)
				if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
					t.Errorf("descriptor %d would be inherited by a program: flags %#x, %v", i, flags, err)
				}
				text := fmt.Sprintf("picture %d", i)
				if _, err := write[i].WriteString(text); err != nil {
					t.Fatal(err)
				}
				write[i].Close()
				if got, err := io.ReadAll(f); string(got) != text || err != nil {
					t.Errorf("descriptor %d reads %q, %v", i, got, err)
				}
			}
			sock.Close()
			<-ended
			if len(failed) > 0 || string(requests) != string(rune(RequestUDP)) {
				t.Errorf("requests %q, errors %d", requests, len(failed))
			}
		})
	}
}

func TestTheServerKeepsNoDescriptorThatItSent(t *testing.T) {
	r, w := newPipe(t)
	pipe := linkOf(t, w.Fd())
	if n := countFDs(t, pipe); n != 2 {
		t.Fatalf("control: a new pipe has %d descriptors", n)
	}
	sock, _, ended := startServe(t.Context(), t, func(context.Context, byte) ([]*os.File, error) { return []*os.File{r}, nil })
	fds, err := Conn{sock}.Request(t.Context(), RequestCamera)
	if err != nil || len(fds) != 1 {
		t.Fatalf("%d descriptors, %v", len(fds), err)
	}
	sock.Close()
	<-ended
	if n := countFDs(t, pipe); n != 2 { // the write end and the received one
		t.Errorf("%d descriptors are open", n)
	}
	unix.Close(fds[0])
	if n := countFDs(t, pipe); n != 1 {
		t.Errorf("%d descriptors are open after the received one was closed", n)
	}
}

func TestARefusalIsOneByteWithoutTheReason(t *testing.T) {
	reason := errors.New("dial rtsp://gate.example: no route")
	sock, failed, _ := startServe(t.Context(), t, func(context.Context, byte) ([]*os.File, error) { return nil, reason })
	if _, err := sock.Write([]byte{RequestCamera}); err != nil {
		t.Fatal(err)
	}
	if got := <-failed; !errors.Is(got, reason) {
		t.Errorf("control: failed was called with %v", got)
	}
	answer, oob := make([]byte, 256), make([]byte, 256)
	n, control, _, _, err := sock.ReadMsgUnix(answer, oob)
	if err != nil || string(answer[:n]) != string(rune(answerRefused)) || control != 0 {
		t.Errorf("the answer is %q with %d control bytes, %v", answer[:n], control, err)
	}
}

// The socket is served after a refusal, since a camera may answer later.
func TestARefusedRequestIsAnErrorAndTheNextOneIsAnswered(t *testing.T) {
	r, _ := newPipe(t)
	sock, failed, _ := startServe(t.Context(), t, func(_ context.Context, request byte) ([]*os.File, error) {
		if request != RequestCamera {
			return nil, fmt.Errorf("no request %q in gate.example", request)
		}
		return []*os.File{r}, nil
	})
	c := Conn{sock}
	fds, err := c.Request(t.Context(), 'x')
	if err == nil || fds != nil || strings.Contains(err.Error(), "gate.example") {
		t.Errorf("an unknown request: %v, %v", fds, err)
	}
	if got := <-failed; !strings.Contains(got.Error(), `no request 'x' in gate.example`) {
		t.Errorf("control: failed was called with %v", got)
	}
	fds, err = c.Request(t.Context(), RequestCamera)
	if err != nil || len(fds) != 1 {
		t.Fatalf("the next request: %d descriptors, %v", len(fds), err)
	}
	newFDFile(t, fds[0])
}

func TestServeEndsWhenThePeerCloses(t *testing.T) {
	sock, failed, ended := startServe(t.Context(), t, func(context.Context, byte) ([]*os.File, error) { return nil, errors.New("no camera") })
	if _, err := (Conn{sock}).Request(t.Context(), RequestCamera); err == nil {
		t.Error("control: the request before was not answered with a refusal")
	}
	select {
	case <-ended:
		t.Error("control: Serve ended before the peer closed")
	default:
	}
	sock.Close()
	<-ended
	if len(failed) != 1 {
		t.Errorf("%d errors were passed to failed", len(failed))
	}
}

// The peer stays open, so that only the context can end Serve.
func TestServeEndsAfterTheAnswerOnceItsContextHasEnded(t *testing.T) {
	r, _ := newPipe(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sock, _, ended := startServe(ctx, t, func(context.Context, byte) ([]*os.File, error) {
		cancel()
		return []*os.File{r}, nil
	})
	fds, err := Conn{sock}.Request(t.Context(), RequestCamera)
	if err != nil || len(fds) != 1 {
		t.Fatalf("the request under way: %d descriptors, %v", len(fds), err)
	}
	newFDFile(t, fds[0])
	<-ended
}

// The peer asks for nothing and stays open.
func TestServeEndsWithItsContextWhileItWaitsForARequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, _, ended := startServe(ctx, t, func(context.Context, byte) ([]*os.File, error) { return nil, nil })
	cancel()
	<-ended
}

func TestARequestThatIsNotAnsweredEndsAtItsDeadline(t *testing.T) {
	c, silent, err := NewPair()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer silent.Close()
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	if fds, err := c.Request(ctx, RequestCamera); !errors.Is(err, os.ErrDeadlineExceeded) || fds != nil {
		t.Errorf("%v, %v", fds, err)
	}
}

func TestARequestToAClosedPeerIsAnError(t *testing.T) {
	c, peer, err := NewPair()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer.Close()
	if fds, err := c.Request(t.Context(), RequestCamera); err == nil || fds != nil {
		t.Errorf("%v, %v", fds, err)
	}
}

func TestDetachedDescriptorsOutliveTheirFiles(t *testing.T) {
	r, w := newPipe(t)
	fds, err := DetachFDs([]*os.File{r, w})
	if err != nil || len(fds) != 2 {
		t.Fatalf("%d descriptors, %v", len(fds), err)
	}
	for i, f := range []*os.File{r, w} {
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("file %d was still open: %v", i, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fds[i]), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d would be inherited by a program: flags %#x, %v", i, flags, err)
		}
	}
	in, out := newFDFile(t, fds[1]), newFDFile(t, fds[0])
	if _, err := in.WriteString("picture"); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if got, err := io.ReadAll(out); string(got) != "picture" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestAFailedDetachLeavesNoDescriptorOpen(t *testing.T) {
	for _, first := range []bool{true, false} {
		r, w := newPipe(t)
		gone, _ := newPipe(t)
		gone.Close()
		pipe := linkOf(t, r.Fd())
		if n := countFDs(t, pipe); n != 2 {
			t.Fatalf("control: a new pipe has %d descriptors", n)
		}
		files := []*os.File{r, w, gone}
		if first {
			files = []*os.File{gone, r, w}
		}
		fds, err := DetachFDs(files)
		if !errors.Is(err, os.ErrClosed) || fds != nil {
			t.Errorf("the closed file first: %v: %v, %v", first, fds, err)
		}
		if n := countFDs(t, pipe); n != 0 {
			t.Errorf("the closed file first: %v: %d descriptors are open", first, n)
		}
	}
}

func TestAFileThatIsNoUnixSocketIsRefusedAndClosed(t *testing.T) {
	r, _ := newPipe(t)
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tcp, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	conn, peer, err := NewPair()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, c := range []struct {
		name  string
		file  *os.File
		taken bool
	}{{"a pipe", r, false}, {"a TCP socket", tcp, false}, {"a Unix socket", peer, true}} {
		got, err := NewConn(c.file)
		if taken := err == nil; taken != c.taken || (got.sock != nil) != c.taken {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := c.file.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s was still open: %v", c.name, err)
		}
		got.Close()
	}
}

func TestTheZeroConnCloses(t *testing.T) {
	if err := (Conn{}).Close(); err != nil {
		t.Error(err)
	}
	c, peer, err := NewPair()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err == nil {
		t.Error("control: the second Close of a socket is no error")
	}
}
