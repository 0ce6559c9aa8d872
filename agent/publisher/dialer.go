package publisher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"kerb/agent/config"
	"kerb/agent/handover"
)

// supervisorFiles opens what the uplink needs through the supervisor: this process has
// no socket call and opens nothing outside the state directory. It may be used by
// several goroutines.
type supervisorFiles struct {
	conn   handover.Conn
	conf   config.Broker
	turn   chan struct{} // holds one value while a request is under way
	broken chan error    // gets the error after which no request is answered any more
}

// newSupervisorFiles makes a supervisorFiles of this process's end of the handover.
func newSupervisorFiles(conn handover.Conn, b config.Broker) *supervisorFiles {
	return &supervisorFiles{conn: conn, conf: b, turn: make(chan struct{}, 1), broken: make(chan error, 1)}
}

// dial is the Dial of uplink.Opts. The supervisor dials the broker of site.toml
// whatever the address is.
func (s *supervisorFiles) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	f, err := s.request(ctx, handover.RequestBroker)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileConn(f)
}

// maxFile bounds a file of the broker in bytes; that of all authorities of a system has
// 220 KB. Chosen by hand.
const maxFile = 4 << 20

// readFile is the ReadFile of uplink.Opts, for the files of [broker].
func (s *supervisorFiles) readFile(path string) ([]byte, error) {
	b := s.conf
	for what, own := range map[byte]string{
		handover.RequestPassword: b.PasswordFile, handover.RequestAuthorities: b.CAFile,
		handover.RequestCertificate: b.CertFile, handover.RequestKey: b.KeyFile,
	} {
		if own != path {
			continue
		}
		f, err := s.request(context.Background(), what)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(f, maxFile))
		return text, errors.Join(err, f.Close())
	}
	return nil, fmt.Errorf("%s: is no file of the broker", path)
}

// request requests one descriptor. A request whose context ends goes on beside, and
// what it brings is closed, so that its answer is not taken for that of the next one.
func (s *supervisorFiles) request(ctx context.Context, what byte) (*os.File, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type answer struct {
		file *os.File
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		defer func() { <-s.turn }()
		fds, err := s.conn.Request(context.Background(), what)
		switch {
		case err == nil && len(fds) == 1:
			answered <- answer{file: os.NewFile(uintptr(fds[0]), "broker")}
			return
		case err == nil:
			for _, fd := range fds {
				syscall.Close(fd)
			}
			err = fmt.Errorf("%d descriptors where there should be one", len(fds))
		}
		if !errors.Is(err, handover.ErrNotOpened) {
			select {
			case s.broken <- err:
			default:
			}
		}
		answered <- answer{err: err}
	}()
	select {
	case a := <-answered:
		return a.file, a.err
	case <-ctx.Done():
		go func() {
			if a := <-answered; a.file != nil {
				a.file.Close()
			}
		}()
		return nil, ctx.Err()
	}
}
