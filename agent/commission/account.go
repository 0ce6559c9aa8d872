package commission

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"kerb/agent/admission"
	"kerb/agent/aim"
	"kerb/agent/audit"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/publisher"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

// sessionLog keeps the account of a session: a running agent, which leaves the
// camera alone meanwhile, or, where none runs, the audit log and the spool
// themselves.
type sessionLog interface {
	writeAct(m *ipc.Aim)
	end(why uint8)
	agentGone() <-chan struct{} // closed when the agent is
	nextWords() string          // what happens to the camera now, in words
}

// openSessionLog begins a session, with the agent if one runs.
func openSessionLog(ctx context.Context, site *config.Site, v admission.Decision, sensor uint16, agreed string, length time.Duration, log *slog.Logger) (sessionLog, error) {
	start := &ipc.Aim{Sensor: sensor, Act: ipc.AimStart, For: length}
	if n, err := hex.Decode(start.Sum[:], []byte(agreed)); err != nil || n != len(start.Sum) {
		return nil, fmt.Errorf("what the files are is not known: %q", agreed)
	}
	conn, err := (&net.Dialer{Timeout: state.GreetingTimeout}).DialContext(ctx, "unix", filepath.Join(site.Device.State, state.AimSocket))
	switch {
	case err == nil:
		return askAgent(conn, start)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("a running kerb run lets only root and its own user aim: sudo kerb aim (%w)", err)
	}
	return openLocalLog(site, v, start, log)
}

// agentLog is a session with a running agent.
type agentLog struct {
	conn net.Conn
	lost chan struct{}
}

func askAgent(conn net.Conn, start *ipc.Aim) (sessionLog, error) {
	_ = conn.SetDeadline(time.Now().Add(state.GreetingTimeout))
	err := ipc.Write(conn, start)
	var m ipc.Message
	if err == nil {
		m, err = ipc.Read(conn)
	}
	answer, ok := m.(*ipc.Aim)
	switch {
	case err != nil || !ok:
		err = errors.Join(errors.New("the running kerb run does not answer"), err)
	case answer.Act == ipc.AimGranted:
		_ = conn.SetDeadline(time.Time{})
		k := &agentLog{conn, make(chan struct{})}
		go func() { // it says nothing more, and ends when the agent does
			defer close(k.lost)
			_, _ = ipc.Read(conn)
		}()
		return k, nil
	case answer.Why == ipc.AimBusy:
		err = errors.New("somebody is aiming already: one session at a time")
	case answer.Why == ipc.AimStale:
		err = errors.New("site.toml or policy.toml changed since kerb run read them: restart kerb, then aim")
	default:
		err = errors.New("kerb run refuses: its policy has other rules for aiming: restart kerb, then aim")
	}
	return nil, errors.Join(err, conn.Close())
}

func (k *agentLog) writeAct(m *ipc.Aim) {
	_ = k.conn.SetWriteDeadline(time.Now().Add(state.GreetingTimeout))
	_ = ipc.Write(k.conn, m) // an agent that is gone ends the session: see gone
}

func (k *agentLog) end(why uint8) {
	k.writeAct(&ipc.Aim{Act: ipc.AimEnd, Why: why})
	_ = k.conn.SetReadDeadline(time.Now().Add(state.GreetingTimeout))
	<-k.lost // until the agent has heard it
	_ = k.conn.Close()
}

func (k *agentLog) agentGone() <-chan struct{} { return k.lost }

func (k *agentLog) nextWords() string { return "kerb run has the camera again and counts" }

// localLog is a session on a device where no agent runs.
type localLog struct {
	site *config.Site
	book *admission.Journal
	log  *slog.Logger
	open func() (*store.Store, error)
	done chan struct{}
}

func openLocalLog(site *config.Site, v admission.Decision, start *ipc.Aim, log *slog.Logger) (sessionLog, error) {
	if err := os.MkdirAll(site.Device.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	l, err := audit.Open(filepath.Join(site.Device.State, state.AuditDir), admission.WallClock(clk))
	if errors.Is(err, audit.ErrInUse) {
		return nil, fmt.Errorf("another kerb aim, or a kerb run that is just starting, has this device: %w", err)
	}
	if err != nil {
		return nil, err // what cannot be accounted for does not happen
	}
	k := &localLog{site: site, book: &admission.Journal{Audit: l, Decision: v, Log: log}, log: log, done: make(chan struct{})}
	k.open = func() (*store.Store, error) {
		return publisher.OpenStore(site.Device.State, v.Policy, clk, new(atomic.Bool))
	}
	k.writeAct(start)
	return k, nil
}

// note enters an act into the audit log and the spool, from which the next
// kerb run tells it.
func (k *localLog) writeAct(m *ipc.Aim) {
	data := m.Data(k.site.CameraName(int(m.Sensor)))
	k.book.Write("aim_"+m.Word(), data)
	db, err := k.open()
	if err != nil {
		k.log.Warn("the spool is not told", "err", err)
		return
	}
	data["act"] = m.Word()
	db.AddNote("aim", data)
	if err := db.Close(); err != nil {
		k.log.Warn("the spool is not told", "err", err)
	}
	state.ChownTree(k.site.Device.State)
}

func (k *localLog) end(why uint8) {
	k.writeAct(&ipc.Aim{Act: ipc.AimEnd, Why: why})
	if err := k.book.Audit.Close(); err != nil {
		k.log.Warn("close the audit log", "err", err)
	}
}

func (k *localLog) agentGone() <-chan struct{} { return k.done }

func (k *localLog) nextWords() string { return "kerb run counts with it from its next start" }

// keepAcceptance keeps the result of a tally. What is kept goes on the wire, and a
// quarter of an hour in a quiet street is a few people: so passages are told in
// tens, the error in whole percents, and nothing by class or direction.
func (s *Session) keepAcceptance(r aim.Result) error {
	path := filepath.Join(s.Config.Device.State, state.AcceptanceFile)
	all := publisher.ReadAcceptances(s.Config.Device.State)
	all = slices.DeleteFunc(all, func(a uplink.Acceptance) bool { return a.Stream == r.Line })
	percent := func(v float64) float64 { return math.Round(100*v) / 100 }
	a := uplink.Acceptance{
		Stream: r.Line, Minutes: (r.Seconds + 30) / 60, Passages: r.Hand / 10 * 10,
		Error: percent(r.Error), Low: percent(r.Low), High: percent(r.High), GEH: math.Round(r.GEH), Verdict: r.Verdict,
	}
	if now := (clock.Clock{Floor: s.Config.Device.ClockFloor}).ReadAll(); now.Synced {
		a.Day = now.Wall.UTC().Format(time.DateOnly)
	}
	b, err := json.MarshalIndent(append(all, a), "", "  ")
	if err != nil {
		return err
	}
	if err := state.Replace(path, append(b, '\n'), path); err != nil {
		return fmt.Errorf("keep the acceptance record: %w", err)
	}
	state.ChownTree(s.Config.Device.State)
	return nil
}
