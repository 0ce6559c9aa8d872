package status

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"kerb/agent/ipc"
	"kerb/agent/state"
)

// The limits of the socket, chosen by hand. A client that is too slow, and one too
// many, is disconnected; a client asks for at most clientTime.
const (
	maxClients  = 8
	readTime    = 2 * time.Second  // for one request; also between two
	writeTime   = 5 * time.Second  // for one answer
	clientTime  = 10 * time.Minute // for all requests of one connection
	acceptDelay = 50 * time.Millisecond
)

// groupName is the group whose members may ask, beside root and the agent's own user.
const groupName = "kerb"

// Listen opens the socket: of the package's device in the directory that systemd made
// for the service (RuntimeDirectory=), and else in the state directory. Only root, this process's user
// and the group kerb may connect: the socket's mode is 0660, or 0600 where there is no
// such group. Under systemd the group may be a dynamic one, which is in no file: it is
// this process's own. The state directory, whose files are private, gets the mode 0710, so
// that the group can reach the socket.
func Listen(stateDir string) (*net.UnixListener, error) {
	dir, own := stateDir, false
	if run, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":"); run != "" && stateDir == state.DefaultDir {
		dir, own = run, true
	}
	path := filepath.Join(dir, state.StatusSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err // left by a kerb run that was killed: the audit log's lock proves that none runs
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	mode := os.FileMode(0o600)
	if own && os.Getegid() != 0 { // the group that systemd made for the service (DynamicUser=)
		mode = 0o660
	}
	if gid, err := lookupGroup(); err == nil && os.Chown(path, -1, gid) == nil {
		mode = 0o660
		if !own && os.Chown(dir, -1, gid) == nil {
			if err := os.Chmod(dir, 0o710); err != nil {
				return nil, errors.Join(err, l.Close())
			}
		}
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// lookupGroup returns the number of the group kerb.
func lookupGroup() (int, error) {
	g, err := user.LookupGroup(groupName)
	if err != nil {
		return 0, err
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return 0, fmt.Errorf("group %s: %w", groupName, err)
	}
	return gid, nil
}

// Serve answers the queries that arrive at l until ctx ends, and closes l. answer
// returns the lines of one answer; it may be called by several goroutines. Serve
// writes no log: a client could fill it.
func Serve(ctx context.Context, l *net.UnixListener, answer func(*ipc.Query) [][]byte) {
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var clients sync.WaitGroup
	defer clients.Wait()
	places := make(chan struct{}, maxClients)
	for ctx.Err() == nil {
		c, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files, for example
			select {
			case <-time.After(acceptDelay):
			case <-ctx.Done():
			}
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			c.Close()
			continue
		}
		clients.Go(func() {
			defer func() { <-places }()
			serveClient(ctx, c, answer)
		})
	}
}

// serveClient answers the queries of one connection until one is invalid, late or too
// many.
func serveClient(ctx context.Context, c *net.UnixConn, answer func(*ipc.Query) [][]byte) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	for end := time.Now().Add(clientTime); time.Now().Before(end); {
		_ = c.SetReadDeadline(time.Now().Add(readTime))
		m, err := ipc.ReadRecord(c)
		q, ok := m.(*ipc.Query)
		if err != nil || !ok {
			return
		}
		_ = c.SetWriteDeadline(time.Now().Add(writeTime))
		for _, line := range answer(q) {
			if _, err := c.Write(append(line, '\n')); err != nil {
				return
			}
		}
	}
}
