// Package publisher is the process with a network: it stores the windows that the
// supervisor has cleared under the policy in the spool, and publishes them through an
// uplink. The supervisor sends them as ipc records on standard input. No exact count
// reaches this process.
//
// It also fills the time in which the agent did not run with gaps, compares
// declared pairs of streams, stores events, and reports the state of all
// processes in the state message.
//
// It refuses records in a wrong order, bytes that no policy can have made, and to store
// a window twice, as one that arrives again after a restart. It cannot read a picture:
// it imports no package that decodes one, and its walls open no camera. It starts no
// program.
package publisher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"kerb/agent/busyness"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/retry"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/counting"
	"kerb/counting/loop"
)

// publisher handles the records of the supervisor.
type publisher struct {
	Clearer
	site  *config.Site
	files *supervisorFiles // of the broker; nil: this process opens what it needs
	clock clock.Clock
	in    io.Reader // the supervisor's records
	out   io.Writer // for heartbeats and ipc.Stored
	state *deviceState
	inbox *wantInbox
	tune  func(*uplink.Opts) // see Inside

	storedUpTo time.Duration // monotonic end of the last window that an earlier uplink process of this boot stored
	window     *ipc.Window   // whose releases are being received; nil: none
	releases   []policy.Release
	part       []byte // of the next release, as far as it has arrived
}

// recallLastWindow sets storedUpTo from the spool. The supervisor sends a window
// again when the uplink process ended before it confirmed it.
func (p *publisher) recallLastWindow() error {
	boot := clock.BootID()
	return p.Store.EachWindow(func(i store.Item) error {
		if i.Boot == boot {
			p.storedUpTo = max(p.storedUpTo, i.Release.Mono())
		}
		return nil
	})
}

const (
	heartbeatInterval = time.Second           // the supervisor restarts a process without heartbeats
	drainInterval     = 20 * time.Millisecond // between two looks at the pending windows. Chosen by hand
)

// serve runs the uplink and handles the records on standard input. After
// ipc.Finish it waits up to ipc.DrainTimeout for the acknowledgements of the
// pending windows. At the end of standard input, when the supervisor was killed,
// it closes the spool at once. A wrong record is an error.
func (p *publisher) serve(ctx context.Context, up *uplink.Uplink) error {
	sending, stopSending := context.WithCancel(ctx)
	defer stopSending()
	var sender, heart sync.WaitGroup
	sender.Go(func() {
		if err := up.Run(sending); err != nil {
			p.Log.Error("uplink ended", "err", err)
		}
	})
	heart.Go(func() { p.sendHeartbeats(sending, up) })
	if r := p.Store.Start(); r.Reason != "" && r.Reason != "boot" {
		_ = ipc.WriteRecord(p.out, &ipc.SpoolFound{Reason: ipc.StartNumber(r.Reason), Lost: r.LostWindows(), Undelivered: r.Undelivered})
	}
	read := make(chan error, 1)
	go func() { read <- p.readRecords(p.in) }()
	var err error
	var broken chan error
	if p.files != nil {
		broken = p.files.broken
	}
	select {
	case err = <-read:
	case err = <-broken:
		err = fmt.Errorf("the supervisor opens nothing any more: %w", err) // it starts this process anew
	}
	switch {
	case errors.Is(err, errFinished):
		p.Store.ReleaseHeld()
		up.SendNow()
		for end := time.Now().Add(ipc.DrainTimeout); time.Now().Before(end) && p.Store.Stats().Pending > 0; {
			time.Sleep(drainInterval)
		}
		err = nil
	case errors.Is(err, io.EOF):
		return p.Store.Close()
	}
	stopSending()
	sender.Wait()
	heart.Wait()
	return errors.Join(err, p.Store.Close())
}

// sendHeartbeats writes a heartbeat every second until ctx ends or the supervisor
// is gone.
func (p *publisher) sendHeartbeats(ctx context.Context, up *uplink.Uplink) {
	failing := false // the log was told so
	for ctx.Err() == nil {
		p.RelabelHeld(p.clock.ReadAll())
		p.Store.Expire()
		p.inbox.flush(time.Now())
		fault := p.Store.Fault()
		if failing != (fault != nil) {
			failing = fault != nil
			logStoreFault(p.Log, fault)
		}
		h := &ipc.Heartbeat{Delivering: up.IsOnline(), StoreFault: failing, Busy: busyness.IsBusy(p.alarms())}
		if ipc.WriteRecord(p.out, h) != nil || !retry.Sleep(ctx, heartbeatInterval) {
			return
		}
	}
}

// alarms returns the present state of the policy's alerts.
func (p *publisher) alarms() []busyness.Alarm {
	judge := busyness.New(p.Policy.Alerts())
	if !judge.HasAlerts() {
		return nil
	}
	_, facts := p.Store.Latest(nil)
	return judge.Alarms(facts)
}

// logStoreFault logs why the spool cannot be written, or with nil that it can be
// written again.
func logStoreFault(log *slog.Logger, fault error) {
	switch {
	case fault == nil:
		log.Info("the spool is written again")
	case errors.Is(fault, syscall.ENOSPC):
		log.Warn("nothing is stored, the disk is full: a power cut loses what is counted", "err", fault, "do", "make room, or replace the card")
	default:
		log.Warn("nothing is stored: a power cut loses what is counted", "err", fault, "do", "replace the card, or mend the rights of the state directory")
	}
}

// errFinished is returned for ipc.Finish, with which the supervisor asks for the
// end.
var errFinished = errors.New("finished")

// readRecords handles records until one is wrong, ipc.Finish arrives or in ends
// (io.EOF), and confirms stored ones with ipc.Stored.
func (p *publisher) readRecords(in io.Reader) error {
	for {
		m, err := ipc.ReadRecord(in)
		if err != nil {
			return err
		}
		n, err := p.handleRecord(m)
		if err != nil {
			return err
		}
		if n > 0 {
			p.OnStored()
			if err := ipc.WriteRecord(p.out, &ipc.Stored{N: n}); err != nil {
				return err
			}
		}
	}
}

// handleRecord handles one record. It returns the number of the record if it is
// stored now, and with it all records of lower numbers; else 0. A record in a
// wrong order or for an unknown stream is an error.
func (p *publisher) handleRecord(m ipc.Record) (stored uint64, err error) {
	if p.window != nil {
		if _, ok := m.(*ipc.Release); !ok {
			return 0, fmt.Errorf("%T within a window", m)
		}
	}
	switch m := m.(type) {
	case *ipc.Begin:
		p.beginCounting(m)
	case *ipc.Window:
		if int(m.Streams) != len(p.Streams) {
			return 0, fmt.Errorf("a window of %d streams where there are %d", m.Streams, len(p.Streams))
		}
		p.window, p.releases, p.part = m, nil, nil
	case *ipc.Release:
		return p.addRelease(m)
	case *ipc.Step:
		p.Store.AddNote("clock_step", clock.Step{Mono: m.Mono, From: m.From.Time(), To: m.To.Time(), Synced: m.Synced}.EventData())
		return m.N, nil
	case *ipc.SensorLost:
		p.noteSensorLost(m)
		return m.N, nil
	case *ipc.LoopFault:
		p.noteLoopFault(m)
		return m.N, nil
	case *ipc.CameraFault:
		if int(m.Sensor) < len(p.site.Cameras) {
			CameraFaultReporter(p.Store, p.site.Cameras[m.Sensor].Name)(counting.ViewFault(m.Fault), m.On)
		}
		return m.N, nil
	case *ipc.CameraLost:
		p.noteCameraLost(m)
		return m.N, nil
	case *ipc.AuditCut:
		p.noteAuditCut(m)
		return m.N, nil
	case *ipc.WantResult:
		p.noteWant(m)
		return m.N, nil
	case *ipc.Reload:
		p.noteReload(m)
		return m.N, nil
	case *ipc.Aim:
		data := m.EventData(p.site.CameraName(int(m.Sensor)))
		data["act"] = m.ActWord()
		p.Store.AddNote("aim", data)
		return m.N, nil
	case *ipc.Heartbeat:
		if p.state.setHeartbeat(int(m.Sensor), m) {
			p.OnStored()
		}
	case *ipc.Walls:
		p.state.setWalls(int(m.Sensor), m)
	case *ipc.AuditHead:
		p.state.setAuditHead(m)
	case *ipc.Board:
		p.state.setBoard(m)
	case *ipc.Finish:
		return 0, errFinished
	}
	return 0, nil
}

// beginCounting sets the monotonic start of the counting, and stores the event
// "policy_refused" once for each start of the agent.
func (p *publisher) beginCounting(m *ipc.Begin) {
	p.StartMono = m.Mono
	if d := p.state.journal.Decision; m.First && d.Refused != nil {
		p.Store.AddNote("policy_refused", map[string]any{"why": d.Refused.Error(), "in_force": d.Policy.Hash()})
	}
}

// addRelease adds a part of the release of the next stream to the open window. With the
// last one it stores the window, unless an earlier process has stored it, and returns
// its number.
func (p *publisher) addRelease(m *ipc.Release) (stored uint64, err error) {
	if p.window == nil || int(m.Stream) != len(p.releases) || m.N != p.window.N {
		return 0, errors.New("a cleared window out of its order")
	}
	part, whole, err := m.AppendTo(p.part)
	if err != nil || !whole {
		p.part = part
		return 0, err
	}
	r, err := policy.RestoreRelease(part)
	if err != nil {
		return 0, err
	}
	if r.Stream() != p.Streams[m.Stream].ID {
		return 0, fmt.Errorf("a window of stream %s in the place of %s", r.Stream(), p.Streams[m.Stream].ID)
	}
	p.part = nil
	if p.releases = append(p.releases, r); len(p.releases) < len(p.Streams) {
		return 0, nil
	}
	window := p.window
	p.window = nil
	if err := p.FillDownGaps(p.clock.ReadAll()); err != nil {
		return 0, err
	}
	if window.Mono.Truncate(time.Millisecond) > p.storedUpTo { // a Release has its time to the millisecond
		if err := p.StoreReleases(p.releases, window.Synced); err != nil {
			return 0, err
		}
	}
	p.Store.RetryWrites()
	return window.N, nil
}

// noteSensorLost stores the event "sense_lost": a sensing process ended.
func (p *publisher) noteSensorLost(m *ipc.SensorLost) {
	if names := sensorNames(p.site); int(m.Sensor) < len(names) {
		p.Store.AddNote("sense_lost", map[string]any{"sensor": names[m.Sensor], "why": ipc.LostWord(m.Why)})
	}
}

// noteCameraLost stores the event "camera_lost".
func (p *publisher) noteCameraLost(m *ipc.CameraLost) {
	if int(m.Sensor) >= len(p.site.Cameras) {
		return
	}
	data := map[string]any{"camera": p.site.Cameras[m.Sensor].Name, "on": m.On}
	if m.On {
		data["why"] = ipc.CameraLossWords()[m.Why]
	}
	p.Store.AddNote("camera_lost", data)
}

// noteReload stores the event "reload".
func (p *publisher) noteReload(m *ipc.Reload) {
	data := map[string]any{"outcome": "taken"}
	if m.Why != 0 {
		data = map[string]any{"outcome": "refused", "reason": ipc.ReloadWords()[m.Why]}
	}
	if m.File != 0 {
		data["file"] = ipc.ReloadFiles()[m.File]
	}
	if m.Line != 0 {
		data["line"] = m.Line
	}
	p.Store.AddNote("reload", data)
}

// noteAuditCut stores the event "audit_cut".
func (p *publisher) noteAuditCut(m *ipc.AuditCut) {
	data := map[string]any{"found": m.Found}
	if m.Had != 0 {
		data["had"] = m.Had
	}
	p.Store.AddNote("audit_cut", data)
}

// noteLoopFault stores the event "loop_fault".
func (p *publisher) noteLoopFault(m *ipc.LoopFault) {
	lines := p.site.Loops.Lines
	if int(m.Stream) < len(p.Streams) && int(m.Line) < len(lines) {
		LoopFaultReporter(p.Store)(loop.Event{
			Stream: p.Streams[m.Stream].ID, Line: lines[m.Line].Name, Fault: loop.Fault(m.FaultBit), On: m.On, N: m.Count,
		})
	}
}
