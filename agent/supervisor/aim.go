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

// aimSession is one session of kerb aim.
type aimSession struct {
	slot    *slot // of the camera
	changed bool  // the session changed the files that this agent read
}

// listenAimSocket opens the socket in the state directory to which kerb aim
// connects. Only this user may connect.
func listenAimSocket(dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, state.AimSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err // left by a kerb run that was killed: the audit log's lock proves that none runs
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

// serveAim runs sessions of kerb aim, one at a time, until ctx ends. An agent whose
// socket cannot be opened counts all the same.
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

// refuseBusy answers that another session is open. It reads the request first:
// closing a connection with unread data resets it, and the peer would lose the
// answer.
func refuseBusy(c *net.UnixConn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(state.GreetingTimeout))
	if _, err := ipc.ReadRecord(c); err == nil {
		_ = ipc.WriteRecord(c, &ipc.Aim{Act: ipc.AimRefused, Why: ipc.AimBusy})
	}
}

// checkPeer returns an error unless the peer's user is root or this process's user
// (SO_PEERCRED, unix(7)).
func checkPeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { peer, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	switch {
	case credErr != nil:
		return credErr
	case peer.Uid != 0 && peer.Uid != uint32(os.Geteuid()):
		return fmt.Errorf("user %d is neither root nor this agent's", peer.Uid)
	}
	return nil
}

// runAimSession runs one session over its connection: it closes the camera for
// kerb aim, and lets the sensor count again after every way in which the session ends.
// The session has the time that was asked for, and the connection breaks then.
// A session that changed the files ends Run with ErrFilesChanged.
func (s *Supervisor) runAimSession(ctx context.Context, c *net.UnixConn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_ = c.SetDeadline(time.Now().Add(state.GreetingTimeout))
	first, err := ipc.ReadRecord(c)
	request, ok := first.(*ipc.Aim)
	if err != nil || !ok || request.Act != ipc.AimStart {
		return
	}
	a, why := s.admitAimSession(request)
	if a == nil {
		_ = ipc.WriteRecord(c, &ipc.Aim{Act: ipc.AimRefused, Why: why})
		return
	}
	s.recordAim(request)
	s.log.Info("aiming: the camera is closed", "process", a.slot.watcher.Name, "for", request.For)
	s.setPaused(a.slot, true)
	end := &ipc.Aim{Sensor: request.Sensor, Act: ipc.AimEnd, Why: ipc.AimLost}
	if ipc.WriteRecord(c, &ipc.Aim{Act: ipc.AimGranted}) == nil {
		began := time.Now() // monotonic, as Go's deadlines are
		extend := func(length time.Duration) { _ = c.SetDeadline(began.Add(length + state.GreetingTimeout)) }
		extend(request.For)
		s.followAimSession(c, a, request.Sensor, end, extend)
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

// ErrFilesChanged is the error of Run after kerb aim has changed the files, or SIGHUP
// found them changed. The caller starts the agent again, so that it reads them.
var ErrFilesChanged = errors.New("the files were changed")

// followAimSession records the acts of a session until it ends, and sets the reason
// in end. It calls extend with the new length of a session that got more time; one that
// asks for more than the policy allows ends.
func (s *Supervisor) followAimSession(c io.Reader, a *aimSession, sensor uint16, end *ipc.Aim, extend func(length time.Duration)) {
	_, longest := s.policy.AimTerms()
	for {
		m, err := ipc.ReadRecord(c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			end.Why = ipc.AimExpired
			return
		}
		act, ok := m.(*ipc.Aim)
		if err != nil || !ok {
			return
		}
		act.Sensor = sensor
		switch act.Act {
		case ipc.AimEntered, ipc.AimLocked, ipc.AimPageRefused, ipc.AimAccessPoint:
			s.recordAim(act)
		case ipc.AimChanged, ipc.AimUndone, ipc.AimAccepted:
			a.changed = true
			s.recordAim(act)
		case ipc.AimExtended:
			if act.For <= 0 || act.For > longest {
				return
			}
			s.recordAim(act)
			extend(act.For)
		case ipc.AimEnd:
			end.Why = act.Why
			return
		default:
			return
		}
	}
}

// admitAimSession returns the session for a request, or the reason of a refusal
// (ipc.AimStale, ipc.AimNever).
func (s *Supervisor) admitAimSession(request *ipc.Aim) (*aimSession, uint8) {
	_, longest := s.policy.AimTerms()
	switch {
	case hex.EncodeToString(request.Sum[:]) != s.Fingerprint:
		return nil, ipc.AimStale
	case int(request.Sensor) >= len(s.site.Cameras) || request.For <= 0 || request.For > longest:
		return nil, ipc.AimForbidden
	}
	return &aimSession{slot: s.slots[request.Sensor]}, 0
}

// setPaused pauses or resumes one sensor. Its process goes on running, so that the
// counts of the open window are not lost.
func (s *Supervisor) setPaused(p *slot, on bool) {
	s.mu.Lock()
	p.aimed = on
	c := p.process
	s.mu.Unlock()
	if c != nil {
		if err := c.SendRecords(&ipc.Pause{On: on}); err != nil {
			s.log.Warn("not heard", "process", p.watcher.Name, "err", err)
		}
	}
}

// sendPauseState pauses a new process whose camera kerb aim has.
func (s *Supervisor) sendPauseState(i int, c *process.Process) {
	s.mu.Lock()
	aimed := s.slots[i].aimed
	s.mu.Unlock()
	if aimed {
		_ = c.SendRecords(&ipc.Pause{On: true}) // a process that cannot read it has ended or is killed by its watcher
	}
}

// recordAim writes an act into the audit log and queues it for the uplink.
func (s *Supervisor) recordAim(m *ipc.Aim) {
	s.journal.WriteEntry("aim_"+m.ActWord(), m.EventData(s.site.CameraName(int(m.Sensor))))
	s.queue.pushNote(func(n uint64) []ipc.Record {
		queued := *m
		queued.N = n
		return []ipc.Record{&queued}
	})
}
