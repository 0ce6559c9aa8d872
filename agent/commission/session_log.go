package commission

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"kerb/agent/admission"
	"kerb/agent/audit"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/publisher"
	"kerb/agent/state"
	"kerb/agent/store"
)

// sessionLog records the acts of a session: in a running agent, which releases
// the camera meanwhile (agentLog), or, where none runs, in the audit log and the
// spool themselves (localLog).
type sessionLog interface {
	writeAct(m *ipc.Aim)
	closeLog(why uint8)         // records the end, an Aim code such as ipc.AimDone, and closes the log
	agentGone() <-chan struct{} // closed when the agent is gone; never without an agent
	describeNext() string       // what happens to the camera after the session, for people
}

// openSessionLog begins a session and records its start, with the agent if one runs.
// fingerprint is that of the two files, 64 hexadecimal digits. An agent that
// refuses, one that this user may not reach, and an audit log that cannot be
// written are errors.
func openSessionLog(ctx context.Context, site *config.Site, d admission.Decision, start *ipc.Aim, fingerprint string, log *slog.Logger) (sessionLog, error) {
	if n, err := hex.Decode(start.Sum[:], []byte(fingerprint)); err != nil || n != len(start.Sum) {
		return nil, fmt.Errorf("what the files are is not known: %q", fingerprint)
	}
	owner, err := state.OpenOwner(site.Device.State)
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	err = owner.Do(func(dir string) (err error) {
		conn, err = (&net.Dialer{Timeout: state.GreetingTimeout}).DialContext(ctx, "unix", filepath.Join(dir, state.AimSocket))
		return err
	})
	if err := owner.Close(); err != nil {
		return nil, err
	}
	switch {
	case err == nil:
		return openAgentLog(conn, start)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("a running kerb run lets only root and its own user aim: sudo kerb aim (%w)", err)
	}
	return openLocalLog(site, d, start, log)
}

// agentLog sends the acts to a running agent, which records them. The agent
// ends the session by closing the connection.
type agentLog struct {
	conn net.Conn
	gone chan struct{} // closed when the connection ended
}

// openAgentLog asks the agent for the camera. A refusal is an error, and closes
// the connection.
func openAgentLog(conn net.Conn, start *ipc.Aim) (sessionLog, error) {
	_ = conn.SetDeadline(time.Now().Add(state.GreetingTimeout))
	err := ipc.WriteRecord(conn, start)
	var m ipc.Record
	if err == nil {
		m, err = ipc.ReadRecord(conn)
	}
	answer, ok := m.(*ipc.Aim)
	switch {
	case err != nil || !ok:
		err = errors.Join(errors.New("the running kerb run does not answer"), err)
	case answer.Act == ipc.AimGranted:
		_ = conn.SetDeadline(time.Time{})
		l := &agentLog{conn, make(chan struct{})}
		go func() { // the agent sends no more records: the read ends with the connection
			defer close(l.gone)
			_, _ = ipc.ReadRecord(conn)
		}()
		return l, nil
	case answer.Why == ipc.AimBusy:
		err = errors.New("an aim session is open already: one at a time")
	case answer.Why == ipc.AimStale:
		err = errors.New("site.toml or policy.toml changed since kerb run read them: restart kerb, then aim")
	default:
		err = errors.New("kerb run refuses: its policy has other rules for aiming: restart kerb, then aim")
	}
	return nil, errors.Join(err, conn.Close())
}

// writeAct sends an act to the agent. It ignores an error: an agent that is gone
// ends the session through agentGone.
func (l *agentLog) writeAct(m *ipc.Aim) {
	_ = l.conn.SetWriteDeadline(time.Now().Add(state.GreetingTimeout))
	_ = ipc.WriteRecord(l.conn, m)
}

// closeLog sends the end and waits until the agent has read it and closed the
// connection, at most state.GreetingTimeout.
func (l *agentLog) closeLog(why uint8) {
	l.writeAct(&ipc.Aim{Act: ipc.AimEnd, Why: why})
	_ = l.conn.SetReadDeadline(time.Now().Add(state.GreetingTimeout))
	<-l.gone
	_ = l.conn.Close()
}

func (l *agentLog) agentGone() <-chan struct{} { return l.gone }

func (l *agentLog) describeNext() string { return "kerb run has the camera again and counts" }

// localLog records the acts in the audit log and in the spool, from which the
// next kerb run publishes them. It holds the audit log open, so that no kerb run
// and no second session can start.
type localLog struct {
	site      *config.Site
	owner     *state.Owner
	journal   *admission.Journal
	log       *slog.Logger
	openStore func(dir string) (*store.Store, error)
	never     chan struct{}
}

// openLocalLog opens the audit log, makes the state directory if it is missing,
// and records the start. An audit log that cannot be written is an error: an act
// that cannot be recorded is not allowed.
func openLocalLog(site *config.Site, d admission.Decision, start *ipc.Aim, log *slog.Logger) (sessionLog, error) {
	if err := os.MkdirAll(site.Device.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	owner, err := state.OpenOwner(site.Device.State)
	if err != nil {
		return nil, err
	}
	var entries *audit.Log
	err = owner.Do(func(dir string) (err error) {
		entries, err = audit.Open(filepath.Join(dir, state.AuditDir), admission.WallClock(clk))
		return err
	})
	if errors.Is(err, audit.ErrInUse) {
		return nil, fmt.Errorf("another kerb aim, or a kerb run that is just starting, has this device: %w", err)
	}
	if err != nil {
		return nil, err
	}
	l := &localLog{site: site, owner: owner, journal: &admission.Journal{Audit: entries, Decision: d, Log: log}, log: log, never: make(chan struct{})}
	l.openStore = func(dir string) (*store.Store, error) {
		return publisher.OpenStore(dir, d.Policy, clk, new(atomic.Bool), publisher.StoreOpts(site)...)
	}
	l.writeAct(start)
	return l, nil
}

// writeAct writes an act into the audit log and the spool, as the owner of the state
// directory. A spool that cannot be written is logged.
func (l *localLog) writeAct(m *ipc.Aim) {
	if err := l.owner.Do(func(dir string) error { return l.writeActIn(dir, m) }); err != nil {
		l.log.Warn("the spool is not told", "err", err)
	}
}

// writeActIn is writeAct in the state directory dir.
func (l *localLog) writeActIn(dir string, m *ipc.Aim) error {
	data := m.EventData(l.site.CameraName(int(m.Sensor)))
	l.journal.WriteEntry("aim_"+m.ActWord(), data)
	db, err := l.openStore(dir)
	if err != nil {
		return err
	}
	data["act"] = m.ActWord()
	db.AddNote("aim", data)
	return db.Close()
}

// closeLog records the end and closes the audit log.
func (l *localLog) closeLog(why uint8) {
	l.writeAct(&ipc.Aim{Act: ipc.AimEnd, Why: why})
	if err := errors.Join(l.journal.Audit.Close(), l.owner.Close()); err != nil {
		l.log.Warn("close the audit log", "err", err)
	}
}

func (l *localLog) agentGone() <-chan struct{} { return l.never }

func (l *localLog) describeNext() string { return "kerb run counts with it from its next start" }

// Refuse writes into the audit log that no session began because the policy file is
// refused, and returns that as the error. A running agent has the log, and told of the
// refusal at its start.
func Refuse(site *config.Site, d admission.Decision) error {
	refusal := admission.NewRefusal(fmt.Errorf("%w; kerb aim shows nothing under the policy before it: mend the file, then aim", d.Refused))
	owner, err := state.OpenOwner(site.Device.State)
	if err != nil {
		return refusal
	}
	defer owner.Close()
	_ = owner.Do(func(dir string) error {
		log, err := audit.Open(filepath.Join(dir, state.AuditDir), admission.WallClock(clock.Clock{Floor: site.Device.ClockFloor}))
		if err != nil {
			return err
		}
		return errors.Join(log.Append("aim_refused", map[string]any{"why": d.Refused.Error(), "in_force": d.Policy.Hash()}), log.Close())
	})
	return refusal
}
