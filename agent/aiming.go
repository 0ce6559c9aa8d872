package main

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

	"kerb/agent/config"
	"kerb/agent/parcel"
)

// aimDoor is the socket in the state directory at which kerb aim asks a running
// agent to leave one camera alone. It is the only thing that can be asked
// there, and only from this machine, by root or by the agent's own user.
const aimDoor = "aim.sock"

// aiming is what the supervisor knows of a session.
type aiming struct {
	post    *post
	changed bool // the files are not any more what this agent read
}

// openAimDoor listens. Without it the agent counts as well, and cannot be
// aimed.
func openAimDoor(state string) (*net.UnixListener, error) {
	path := filepath.Join(state, aimDoor)
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
func (s *supervisor) attend(ctx context.Context) {
	l, err := openAimDoor(s.site.Device.State)
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
		if err := trusted(c); err != nil {
			s.log.Warn("not let in to aim", "err", err)
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
	_ = c.SetDeadline(time.Now().Add(greeting))
	if _, err := parcel.Read(c); err == nil {
		_ = parcel.Write(c, &parcel.Aim{Act: parcel.AimRefused, Why: parcel.AimBusy})
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

// greeting is how long whoever came to aim may take to say so.
const greeting = 5 * time.Second

// session is one connection from its first word to its end. While it lasts, the
// camera is kerb aim's; when it ends, however it ends, the sensor counts again.
func (s *supervisor) session(ctx context.Context, c *net.UnixConn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_ = c.SetDeadline(time.Now().Add(greeting))
	first, err := parcel.Read(c)
	ask, ok := first.(*parcel.Aim)
	if err != nil || !ok || ask.Act != parcel.AimStart {
		return
	}
	a, why := s.admit(ask)
	if a == nil {
		_ = parcel.Write(c, &parcel.Aim{Act: parcel.AimRefused, Why: why})
		return
	}
	s.account(ask)
	s.log.Info("aiming: the camera is closed", "process", a.post.ward.name, "for", ask.For)
	s.pause(a.post, true)
	end := &parcel.Aim{Sensor: ask.Sensor, Act: parcel.AimEnd, Why: parcel.AimLost}
	if parcel.Write(c, &parcel.Aim{Act: parcel.AimGranted}) == nil {
		_ = c.SetDeadline(time.Now().Add(ask.For + greeting)) // Go's deadlines are monotonic
		s.follow(c, a, ask.Sensor, end)
	}
	if ctx.Err() != nil {
		end.Why = parcel.AimStopped
	}
	s.account(end)
	s.log.Info("aiming ended", "process", a.post.ward.name, "changed", a.changed)
	if a.changed {
		s.anew(errChanged)
		return
	}
	s.pause(a.post, false)
}

// errChanged ends an agent whose files were changed by aiming: it starts anew.
var errChanged = errors.New("the files were changed by kerb aim")

// follow listens to what is done until the session ends. The end is filled in.
func (s *supervisor) follow(c io.Reader, a *aiming, sensor uint16, end *parcel.Aim) {
	for {
		m, err := parcel.Read(c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			end.Why = parcel.AimExpired
			return
		}
		did, ok := m.(*parcel.Aim)
		if err != nil || !ok {
			return
		}
		did.Sensor = sensor
		switch did.Act {
		case parcel.AimEntered, parcel.AimLocked:
			s.account(did)
		case parcel.AimChanged, parcel.AimUndone, parcel.AimAccepted:
			a.changed = true
			s.account(did)
		case parcel.AimEnd:
			end.Why = did.Why
			return
		default:
			return
		}
	}
}

// admit decides whether somebody may aim, or says why not.
func (s *supervisor) admit(ask *parcel.Aim) (*aiming, uint8) {
	_, longest := aimTerms(s.policy)
	switch {
	case hex.EncodeToString(ask.Sum[:]) != s.agreed:
		return nil, parcel.AimStale
	case int(ask.Sensor) >= len(s.site.Cameras) || ask.For <= 0 || ask.For > longest:
		return nil, parcel.AimNever
	}
	return &aiming{post: s.posts[ask.Sensor]}, 0
}

// pause stops or resumes one sensor. Its process lives on, so that what it
// counted in the open window is not lost.
func (s *supervisor) pause(p *post, on bool) {
	s.mu.Lock()
	p.aimed = on
	c := p.child
	s.mu.Unlock()
	if c != nil {
		if err := c.tell(&parcel.Pause{On: on}); err != nil {
			s.log.Warn("not heard", "process", p.ward.name, "err", err)
		}
	}
}

// resume tells a process that begins while its camera is being aimed.
func (s *supervisor) resume(place int, c *child) {
	s.mu.Lock()
	aimed := s.posts[place].aimed
	s.mu.Unlock()
	if aimed {
		_ = c.tell(&parcel.Pause{On: true}) // one that does not hear it is ended for its silence
	}
}

// account enters what aiming did into the audit log and tells the uplink.
func (s *supervisor) account(m *parcel.Aim) {
	s.book.write("aim_"+aimWord(m), aimData(s.site, m))
	s.out.note(func(n uint64) []parcel.Message {
		told := *m
		told.N = n
		return []parcel.Message{&told}
	})
}

// aimWord is an act as the audit log and the event call it.
func aimWord(m *parcel.Aim) string {
	return map[uint8]string{
		parcel.AimStart: "start", parcel.AimEntered: "entered", parcel.AimLocked: "locked", parcel.AimChanged: "changed",
		parcel.AimUndone: "undone", parcel.AimAccepted: "accepted", parcel.AimEnd: "end",
	}[m.Act]
}

// aimData is what the audit log and the event say of an act: which camera, who
// by the name of a code, and what; no count, and nothing of the picture.
func aimData(site *config.Site, m *parcel.Aim) map[string]any {
	data := map[string]any{}
	if int(m.Sensor) < len(site.Cameras) {
		data["camera"] = site.Cameras[m.Sensor].Name
	}
	if m.Code != 0 {
		data["code"] = fmt.Sprintf("%08x", m.Code)
	}
	switch m.Act {
	case parcel.AimStart:
		data["for_s"] = m.For.Seconds()
	case parcel.AimChanged, parcel.AimUndone:
		data["site"] = "sha256:" + hex.EncodeToString(m.Sum[:])
	case parcel.AimEnd:
		data["why"] = whyAimEnded(m.Why)
	}
	return data
}

func whyAimEnded(why uint8) string {
	words := map[uint8]string{
		parcel.AimDone: "done", parcel.AimExpired: "expired", parcel.AimGuessed: "guessed", parcel.AimStopped: "stopped",
		parcel.AimLost: "lost", parcel.AimClosed: "closed",
	}
	return words[why]
}
