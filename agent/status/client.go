package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"kerb/agent/ipc"
	"kerb/agent/state"
)

// ErrNotRunning reports that no agent answers on this device.
var ErrNotRunning = errors.New("kerb does not run")

// ErrBusy reports that the agent has too many clients.
var ErrBusy = errors.New("kerb has too many askers at the moment: ask again")

// VersionError reports that the running agent does not know a question that this command
// asks: it was started before this binary was installed.
type VersionError struct {
	Agent string // the version of the agent
	PID   int    // its process; 0: not known
}

// Error says what differs, and what to do.
func (e VersionError) Error() string {
	restart := "systemctl restart kerb"
	if e.PID != 0 {
		restart += fmt.Sprintf(" (or end process %d and start kerb run again)", e.PID)
	}
	return fmt.Sprintf("the running agent is kerb %s, older than this command, and does not know its question: %s; nothing that is stored is lost", e.Agent, restart)
}

// DeniedError reports that this user may not ask.
type DeniedError struct {
	User  string
	Group bool // a file of this machine has the group kerb, so users can be put into it; systemd's dynamic group is in none
}

// Error says who may ask, and how to become one of them.
func (e DeniedError) Error() string {
	text := "only root, the user kerb and the group kerb may ask kerb how it is; you are " + e.User + ": sudo kerb status"
	if e.Group {
		text += ", or sudo usermod -aG kerb " + e.User + " and log in again"
	}
	return text
}

// Client is a connection to a running agent.
type Client struct {
	conn    net.Conn
	lines   *json.Decoder
	greeted bool   // the agent has answered a question, so it has a place for this client
	version string // of the agent, once greeted
}

// askTime bounds one query of a client: the server waits for its uplink for less.
// Chosen by hand.
const askTime = 15 * time.Second

// Dial connects to the agent whose state directory this is. It returns ErrNotRunning
// where none runs and a DeniedError where this user may not ask.
func Dial(ctx context.Context, stateDir string) (*Client, error) {
	dirs := []string{stateDir}
	if stateDir == state.DefaultDir {
		dirs = slices.Insert(dirs, 0, state.RunDir)
	}
	var denied bool
	for _, dir := range dirs {
		conn, err := connectIn(ctx, dir)
		switch {
		case err == nil:
			return &Client{conn: conn, lines: json.NewDecoder(io.LimitReader(conn, maxSession))}, nil
		case errors.Is(err, fs.ErrPermission):
			denied = denied || !isMember()
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		case errors.Is(err, syscall.EAGAIN):
			return nil, ErrBusy
		default:
			return nil, err
		}
	}
	if denied {
		_, err := lookupGroup() // without cgo it reads /etc/group only
		return nil, DeniedError{userName(), err == nil}
	}
	return nil, ErrNotRunning
}

// connectIn connects to the socket in dir with the rights of the directory's owner, whose
// link must not lead root to the socket of another program.
func connectIn(ctx context.Context, dir string) (conn net.Conn, err error) {
	err = state.ActAsOwner(dir, func(inside string) (err error) {
		conn, err = (&net.Dialer{Timeout: askTime}).DialContext(ctx, "unix", filepath.Join(inside, state.StatusSocket))
		return err
	})
	return conn, err
}

// maxSession bounds what a client reads: the spool of a week of minutes and ten
// streams, 200 MB, with room.
const maxSession = 1 << 30

// isMember reports whether this process may ask by its group.
func isMember() bool {
	gid, err := lookupGroup()
	groups, gerr := os.Getgroups()
	return err == nil && gerr == nil && (os.Getegid() == gid || slices.Contains(groups, gid))
}

// userName is the name of this process's user, or its number.
func userName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprintf("user %d", os.Geteuid())
}

// PID returns the number of the agent's process, by the kernel (SO_PEERCRED, unix(7)); 0
// where it is in another PID namespace.
func (c *Client) PID() (int, error) {
	raw, err := c.conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *syscall.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		peer, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, credErr); err != nil {
		return 0, err
	}
	return int(peer.Pid), nil
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// ask sends a query and decodes one line of the answer into each of parts. A part
// that the agent does not know is left as it is.
func (c *Client) ask(q *ipc.Query, parts ...any) error {
	_ = c.conn.SetDeadline(time.Now().Add(askTime))
	if err := ipc.WriteRecord(c.conn, q); err != nil {
		return c.wrapError(err)
	}
	for _, part := range parts {
		var text json.RawMessage
		if err := c.lines.Decode(&text); err != nil {
			return c.wrapError(err)
		}
		if bytes.Equal(text, []byte("null")) {
			continue
		}
		if err := json.Unmarshal(text, part); err != nil {
			return fmt.Errorf("answer of kerb run: %w", err)
		}
	}
	return nil
}

// wrapError returns ErrBusy for a connection that was closed without an answer, and a
// VersionError where the agent had a place for this client: it closes at a question that it
// does not know.
func (c *Client) wrapError(err error) error {
	closed := errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
	switch {
	case closed && c.greeted:
		pid, _ := c.PID() // 0 where it is not known
		return VersionError{c.version, pid}
	case closed:
		return ErrBusy
	}
	return fmt.Errorf("ask kerb run: %w", err)
}

// greet asks the question that each version knows, once, so that wrapError can tell an agent
// with too many clients from one of another version.
func (c *Client) greet() error {
	if c.greeted {
		return nil
	}
	_, err := c.Status(0, time.Now())
	return err
}

// Status asks for the condition of the agent, with the last so many windows, at most
// ipc.MaxQueryCount.
func (c *Client) Status(windows int, now time.Time) (*Status, error) {
	s := &Status{Schema: Schema, At: now.UTC().Truncate(time.Second), Running: true}
	if err := c.ask(&ipc.Query{What: ipc.QueryStatus, Count: uint16(windows)}, &s.Device, &s.Uplink); err != nil {
		return nil, err
	}
	c.greeted, c.version = true, s.Version
	s.assess(nil)
	return s, nil
}

// Windows calls f with each stored window, oldest first.
func (c *Client) Windows(f func(Window) error) error {
	if err := c.greet(); err != nil {
		return err
	}
	for after := uint64(0); ; {
		var page Uplink
		if err := c.ask(&ipc.Query{What: ipc.QueryWindows, After: after, Count: ipc.MaxQueryCount}, &page); err != nil {
			return err
		}
		if len(page.Windows) == 0 || page.Last <= after {
			return nil
		}
		for _, w := range page.Windows {
			if err := f(w); err != nil {
				return err
			}
		}
		after = page.Last
	}
}

// TellRefusal tells the agent that the policy refused the status page, for its audit log.
func (c *Client) TellRefusal() error {
	if err := c.greet(); err != nil {
		return err
	}
	return c.ask(&ipc.Query{What: ipc.QueryRefused}, new(struct{}))
}

// Log asks for the last lines of the log.
func (c *Client) Log() ([]string, error) {
	var l Log
	if err := c.greet(); err != nil {
		return nil, err
	}
	err := c.ask(&ipc.Query{What: ipc.QueryLog}, &l)
	return l.Lines, err
}
