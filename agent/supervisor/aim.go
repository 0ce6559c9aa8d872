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

// aimSession is what the supervisor knows of a session.
type aimSession struct {
	slot    *slot
	changed bool // the files are not any more what this agent read
}

// listenAimSocket listens. Without it the agent counts as well, and cannot be
// aimed.
func listenAimSocket(dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, state.AimSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err // of a kerb run that was killed; the audit log's lock says that none runs
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

// serveAim lets one at a time aim, until the context ends.
func (s *Supervisor) serveAim(ctx context.Context) {
	l, err := listenAimSocket(s.site.Device.State)
	if err != nil {
		s.log.Warn("kerb aim will not find this agent", "err", err)
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
		if err := checkPeer(c); err != nil {
			s.log.Warn("not let in to aim", "err", err)
			c.Close()
			continue
		}
		if !busy.CompareAndSwap(false, true) {
			sessions.Go(func() { refuseBusy(c) })
			continue
		}
		sessions.Go(func() {
			defer busy.Store(false)
			s.runAimSession(ctx, c)
		})
	}
}

// refuseBusy says that somebody is aiming already. It hears whoever came out
// first: closed with a word unread, the connection would break before the
// answer is read.
func refuseBusy(c *net.UnixConn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(state.GreetingTimeout))
	if _, err := ipc.Read(c); err == nil {
		_ = ipc.Write(c, &ipc.Aim{Act: ipc.AimRefused, Why: ipc.AimBusy})
	}
}

// checkPeer says what speaks against whoever is at the other end.
func checkPeer(c *net.UnixConn) error {
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

// runAimSession is one connection from its first word to its end. While it lasts, the
// camera is kerb aim's; when it ends, however it ends, the sensor counts again.
func (s *Supervisor) runAimSession(ctx context.Context, c *net.UnixConn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_ = c.SetDeadline(time.Now().Add(state.GreetingTimeout))
	first, err := ipc.Read(c)
	ask, ok := first.(*ipc.Aim)
	if err != nil || !ok || ask.Act != ipc.AimStart {
		return
	}
	a, why := s.admitAimSession(ask)
	if a == nil {
		_ = ipc.Write(c, &ipc.Aim{Act: ipc.AimRefused, Why: why})
		return
	}
	s.recordAim(ask)
	s.log.Info("aiming: the camera is closed", "process", a.slot.watcher.Name, "for", ask.For)
	s.setPaused(a.slot, true)
	end := &ipc.Aim{Sensor: ask.Sensor, Act: ipc.AimEnd, Why: ipc.AimLost}
	if ipc.Write(c, &ipc.Aim{Act: ipc.AimGranted}) == nil {
		_ = c.SetDeadline(time.Now().Add(ask.For + state.GreetingTimeout)) // Go's deadlines are monotonic
		s.followAimSession(c, a, ask.Sensor, end)
	}
	if ctx.Err() != nil {
		end.Why = ipc.AimStopped
	}
	s.recordAim(end)
	s.log.Info("aiming ended", "process", a.slot.watcher.Name, "changed", a.changed)
	if a.changed {
		s.restart(ErrFilesChanged)
		return
	}
	s.setPaused(a.slot, false)
}

// errChanged ends an agent whose files were changed by aiming: it starts anew.
var ErrFilesChanged = errors.New("the files were changed by kerb aim")

// followAimSession listens to what is done until the session ends. The end is filled in.
func (s *Supervisor) followAimSession(c io.Reader, a *aimSession, sensor uint16, end *ipc.Aim) {
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
			s.recordAim(did)
		case ipc.AimChanged, ipc.AimUndone, ipc.AimAccepted:
			a.changed = true
			s.recordAim(did)
		case ipc.AimEnd:
			end.Why = did.Why
			return
		default:
			return
		}
	}
}

// admitAimSession decides whether somebody may aim, or says why not.
func (s *Supervisor) admitAimSession(ask *ipc.Aim) (*aimSession, uint8) {
	_, longest := s.policy.AimTerms()
	switch {
	case hex.EncodeToString(ask.Sum[:]) != s.Fingerprint:
		return nil, ipc.AimStale
	case int(ask.Sensor) >= len(s.site.Cameras) || ask.For <= 0 || ask.For > longest:
		return nil, ipc.AimNever
	}
	return &aimSession{slot: s.slots[ask.Sensor]}, 0
}

// setPaused stops or resumes one sensor. Its process lives on, so that what it
// counted in the open window is not lost.
func (s *Supervisor) setPaused(p *slot, on bool) {
	s.mu.Lock()
	p.aimed = on
	c := p.process
	s.mu.Unlock()
	if c != nil {
		if err := c.Send(&ipc.Pause{On: on}); err != nil {
			s.log.Warn("not heard", "process", p.watcher.Name, "err", err)
		}
	}
}

// sendPauseState tells a process that begins while its camera is being aimed.
func (s *Supervisor) sendPauseState(place int, c *process.Process) {
	s.mu.Lock()
	aimed := s.slots[place].aimed
	s.mu.Unlock()
	if aimed {
		_ = c.Send(&ipc.Pause{On: true}) // one that does not hear it is ended for its silence
	}
}

// recordAim enters what aiming did into the audit log and tells the uplink.
func (s *Supervisor) recordAim(m *ipc.Aim) {
	s.journal.Write("aim_"+m.Word(), m.Data(s.site.CameraName(int(m.Sensor))))
	s.queue.pushNote(func(n uint64) []ipc.Message {
		told := *m
		told.N = n
		return []ipc.Message{&told}
	})
}
