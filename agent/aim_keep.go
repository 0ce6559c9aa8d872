package main

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
	"syscall"
	"time"

	"kerb/agent/aim"
	"kerb/agent/audit"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

// keeper keeps the account of a session: a running agent, which leaves the
// camera alone meanwhile, or, where none runs, the audit log and the spool
// themselves.
type keeper interface {
	note(m *parcel.Aim)
	end(why uint8)
	gone() <-chan struct{} // closed when the agent is
	next() string          // what happens to the camera now, in words
}

// openKeeper begins a session, with the agent if one runs.
func openKeeper(ctx context.Context, site *config.Site, v verdict, sensor uint16, agreed string, length time.Duration, log *slog.Logger) (keeper, error) {
	start := &parcel.Aim{Sensor: sensor, Act: parcel.AimStart, For: length}
	if n, err := hex.Decode(start.Sum[:], []byte(agreed)); err != nil || n != len(start.Sum) {
		return nil, fmt.Errorf("what the files are is not known: %q", agreed)
	}
	conn, err := (&net.Dialer{Timeout: greeting}).DialContext(ctx, "unix", filepath.Join(site.Device.State, aimDoor))
	switch {
	case err == nil:
		return askAgent(conn, start)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("a running kerb run lets only root and its own user aim: sudo kerb aim (%w)", err)
	}
	return openAlone(site, v, start, log)
}

// served is a session with a running agent.
type served struct {
	conn net.Conn
	lost chan struct{}
}

func askAgent(conn net.Conn, start *parcel.Aim) (keeper, error) {
	_ = conn.SetDeadline(time.Now().Add(greeting))
	err := parcel.Write(conn, start)
	var m parcel.Message
	if err == nil {
		m, err = parcel.Read(conn)
	}
	answer, ok := m.(*parcel.Aim)
	switch {
	case err != nil || !ok:
		err = errors.Join(errors.New("the running kerb run does not answer"), err)
	case answer.Act == parcel.AimGranted:
		_ = conn.SetDeadline(time.Time{})
		k := &served{conn, make(chan struct{})}
		go func() { // it says nothing more, and ends when the agent does
			defer close(k.lost)
			_, _ = parcel.Read(conn)
		}()
		return k, nil
	case answer.Why == parcel.AimBusy:
		err = errors.New("somebody is aiming already: one session at a time")
	case answer.Why == parcel.AimStale:
		err = errors.New("site.toml or policy.toml changed since kerb run read them: restart kerb, then aim")
	default:
		err = errors.New("kerb run refuses: its policy has other rules for aiming: restart kerb, then aim")
	}
	return nil, errors.Join(err, conn.Close())
}

func (k *served) note(m *parcel.Aim) {
	_ = k.conn.SetWriteDeadline(time.Now().Add(greeting))
	_ = parcel.Write(k.conn, m) // an agent that is gone ends the session: see gone
}

func (k *served) end(why uint8) {
	k.note(&parcel.Aim{Act: parcel.AimEnd, Why: why})
	_ = k.conn.SetReadDeadline(time.Now().Add(greeting))
	<-k.lost // until the agent has heard it
	_ = k.conn.Close()
}

func (k *served) gone() <-chan struct{} { return k.lost }
func (k *served) next() string          { return "kerb run has the camera again and counts" }

// alone is a session on a device where no agent runs.
type alone struct {
	site *config.Site
	book *book
	log  *slog.Logger
	open func() (*store.Store, error)
	done chan struct{}
}

func openAlone(site *config.Site, v verdict, start *parcel.Aim, log *slog.Logger) (keeper, error) {
	if err := os.MkdirAll(site.Device.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	l, err := audit.Open(filepath.Join(site.Device.State, auditDir), believed(clk))
	if errors.Is(err, audit.ErrInUse) {
		return nil, fmt.Errorf("another kerb aim, or a kerb run that is just starting, has this device: %w", err)
	}
	if err != nil {
		return nil, err // what cannot be accounted for does not happen
	}
	k := &alone{site: site, book: &book{audit: l, verdict: v, log: log}, log: log, done: make(chan struct{})}
	k.open = func() (*store.Store, error) { return openStore(site.Device.State, v.policy, clk, new(atomic.Bool)) }
	k.note(start)
	return k, nil
}

// note enters an act into the audit log and the spool, from which the next
// kerb run tells it.
func (k *alone) note(m *parcel.Aim) {
	data := aimData(k.site, m)
	k.book.write("aim_"+aimWord(m), data)
	db, err := k.open()
	if err != nil {
		k.log.Warn("the spool is not told", "err", err)
		return
	}
	data["act"] = aimWord(m)
	db.Note("aim", data)
	if err := db.Close(); err != nil {
		k.log.Warn("the spool is not told", "err", err)
	}
	own(k.site.Device.State)
}

func (k *alone) end(why uint8) {
	k.note(&parcel.Aim{Act: parcel.AimEnd, Why: why})
	if err := k.book.audit.Close(); err != nil {
		k.log.Warn("close the audit log", "err", err)
	}
}

func (k *alone) gone() <-chan struct{} { return k.done }
func (k *alone) next() string          { return "kerb run counts with it from its next start" }

// own gives what root made in the state directory to whoever the directory
// belongs to, so that an agent with a user of its own can go on with it.
func own(state string) {
	info, err := os.Stat(state)
	st, ok := info.Sys().(*syscall.Stat_t)
	if err != nil || !ok || os.Geteuid() != 0 || st.Uid == 0 {
		return
	}
	_ = filepath.WalkDir(state, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			_ = os.Lchown(path, int(st.Uid), int(st.Gid))
		}
		return nil
	})
}

// acceptanceFile is in the state directory: what tallies by hand have shown,
// one record a line of the site, the latest.
const acceptanceFile = "acceptance.json"

// accept keeps the result of a tally. What is kept goes on the wire, and a
// quarter of an hour in a quiet street is a few people: so passages are told in
// tens, the error in whole percents, and nothing by class or direction.
func (s *aimSession) accept(r aim.Result) error {
	path := filepath.Join(s.site.Device.State, acceptanceFile)
	all := acceptances(s.site.Device.State)
	all = slices.DeleteFunc(all, func(a uplink.Acceptance) bool { return a.Stream == r.Line })
	percent := func(v float64) float64 { return math.Round(100*v) / 100 }
	a := uplink.Acceptance{
		Stream: r.Line, Minutes: (r.Seconds + 30) / 60, Passages: r.Hand / 10 * 10,
		Error: percent(r.Error), Low: percent(r.Low), High: percent(r.High), GEH: math.Round(r.GEH), Verdict: r.Verdict,
	}
	if now := (clock.Clock{Floor: s.site.Device.ClockFloor}).Read(); now.Synced {
		a.Day = now.Wall.UTC().Format(time.DateOnly)
	}
	b, err := json.MarshalIndent(append(all, a), "", "  ")
	if err != nil {
		return err
	}
	if err := replace(path, append(b, '\n'), path); err != nil {
		return fmt.Errorf("keep the acceptance record: %w", err)
	}
	own(s.site.Device.State)
	return nil
}

// acceptances are the records that were kept. A file that cannot be read holds
// none: it says nothing that the counting needs.
func acceptances(state string) (all []uplink.Acceptance) {
	b, err := os.ReadFile(filepath.Join(state, acceptanceFile))
	if err != nil || json.Unmarshal(b, &all) != nil {
		return nil
	}
	return all
}
