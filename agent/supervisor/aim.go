package supervisor

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/ipc"
	"kerb/agent/process"
	"kerb/agent/state"
)

// aiming is what the supervisor knows of a session.
type aiming struct {
	post    *Post
	changed bool // the files are not any more what this agent read
}

// openAimDoor listens. Without it the agent counts as well, and cannot be
// aimed.
func openAimDoor(dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, state.AimDoor)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err // of a kerb run that was killed; the audit log's lock says that none runs
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

// attend lets one at a time aim, until the context ends.
func (s *Supervisor) attend(ctx context.Context) {
	l, err := openAimDoor(s.Site.Device.State)
	if err != nil {
		s.Log.Warn("kerb aim will not find this agent", "err", err)
		return
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var sessions sync.WaitGroup
	defer sessions.Wait()
	var busy atomic.Bool
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return
		}
		if err := trusted(c); err != nil {
			s.Log.Warn("not let in to aim", "err", err)
			c.Close()
			continue
		}
		if !busy.CompareAndSwap(false, true) {
			sessions.Go(func() { turnAway(c) })
			continue
		}
		sessions.Go(func() {
			defer busy.Store(false)
			s.session(ctx, c)
		})
	}
}

// turnAway says that somebody is aiming already. It hears whoever came out
// first: closed with a word unread, the connection would break before the
// answer is read.
func turnAway(c *net.UnixConn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(state.Greeting))
	if _, err := ipc.Read(c); err == nil {
		_ = ipc.Write(c, &ipc.Aim{Act: ipc.AimRefused, Why: ipc.AimBusy})
	}
}

// trusted says what speaks against whoever is at the other end.
func trusted(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var who *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) { who, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	switch {
	case asked != nil:
		return asked
	case who.Uid != 0 && who.Uid != uint32(os.Geteuid()):
		return fmt.Errorf("user %d is neither root nor this agent's", who.Uid)
	}
	return nil
}

// session is one connection from its first word to its end. While it lasts, the
// camera is kerb aim's; when it ends, however it ends, the sensor counts again.
func (s *Supervisor) session(ctx context.Context, c *net.UnixConn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_ = c.SetDeadline(time.Now().Add(state.Greeting))
	first, err := ipc.Read(c)
	ask, ok := first.(*ipc.Aim)
	if err != nil || !ok || ask.Act != ipc.AimStart {
		return
	}
	a, why := s.admit(ask)
	if a == nil {
		_ = ipc.Write(c, &ipc.Aim{Act: ipc.AimRefused, Why: why})
		return
	}
	s.account(ask)
	s.Log.Info("aiming: the camera is closed", "process", a.post.ward.Name, "for", ask.For)
	s.pause(a.post, true)
	end := &ipc.Aim{Sensor: ask.Sensor, Act: ipc.AimEnd, Why: ipc.AimLost}
	if ipc.Write(c, &ipc.Aim{Act: ipc.AimGranted}) == nil {
		_ = c.SetDeadline(time.Now().Add(ask.For + state.Greeting)) // Go's deadlines are monotonic
		s.follow(c, a, ask.Sensor, end)
	}
	if ctx.Err() != nil {
		end.Why = ipc.AimStopped
	}
	s.account(end)
	s.Log.Info("aiming ended", "process", a.post.ward.Name, "changed", a.changed)
	if a.changed {
		s.anew(ErrChanged)
		return
	}
	s.pause(a.post, false)
}

// errChanged ends an agent whose files were changed by aiming: it starts anew.
var ErrChanged = errors.New("the files were changed by kerb aim")

// follow listens to what is done until the session ends. The end is filled in.
func (s *Supervisor) follow(c io.Reader, a *aiming, sensor uint16, end *ipc.Aim) {
	for {
		m, err := ipc.Read(c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			end.Why = ipc.AimExpired
			return
		}
		did, ok := m.(*ipc.Aim)
		if err != nil || !ok {
			return
		}
		did.Sensor = sensor
		switch did.Act {
		case ipc.AimEntered, ipc.AimLocked:
			s.account(did)
		case ipc.AimChanged, ipc.AimUndone, ipc.AimAccepted:
			a.changed = true
			s.account(did)
		case ipc.AimEnd:
			end.Why = did.Why
			return
		default:
			return
		}
	}
}

// admit decides whether somebody may aim, or says why not.
func (s *Supervisor) admit(ask *ipc.Aim) (*aiming, uint8) {
	_, longest := s.Policy.AimTerms()
	switch {
	case hex.EncodeToString(ask.Sum[:]) != s.Agreed:
		return nil, ipc.AimStale
	case int(ask.Sensor) >= len(s.Site.Cameras) || ask.For <= 0 || ask.For > longest:
		return nil, ipc.AimNever
	}
	return &aiming{post: s.Posts[ask.Sensor]}, 0
}

// pause stops or resumes one sensor. Its process lives on, so that what it
// counted in the open window is not lost.
func (s *Supervisor) pause(p *Post, on bool) {
	s.mu.Lock()
	p.Aimed = on
	c := p.Child
	s.mu.Unlock()
	if c != nil {
		if err := c.Tell(&ipc.Pause{On: on}); err != nil {
			s.Log.Warn("not heard", "process", p.ward.Name, "err", err)
		}
	}
}

// resume tells a process that begins while its camera is being aimed.
func (s *Supervisor) resume(place int, c *process.Child) {
	s.mu.Lock()
	aimed := s.Posts[place].Aimed
	s.mu.Unlock()
	if aimed {
		_ = c.Tell(&ipc.Pause{On: true}) // one that does not hear it is ended for its silence
	}
}

// account enters what aiming did into the audit log and tells the uplink.
func (s *Supervisor) account(m *ipc.Aim) {
	s.Book.Write("aim_"+m.Word(), m.Data(s.Site.CameraName(int(m.Sensor))))
	s.Out.Note(func(n uint64) []ipc.Message {
		told := *m
		told.N = n
		return []ipc.Message{&told}
	})
}
