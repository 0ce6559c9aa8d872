// Package supervisor is the main process of kerb run. It starts the uplink and one
// sensing process for each camera and for the loops, restarts them, cuts the time
// into windows, collects the tallies of each window, clears them under the policy and
// queues the Releases for the uplink until they are stored. It opens the cameras for the sensing processes, lends
// them to kerb aim, shows the status lamp and feeds the service manager's watchdog.
//
// It refuses records from a process that are not its own to send, tallies that no
// window asked for, and sessions of aiming from other users or for other files. It
// reads no picture and no message of the broker, and parses no data from outside
// but ipc records.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"kerb/agent/admission"
	"kerb/agent/audit"
	"kerb/agent/cage"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/logbook"
	"kerb/agent/opener"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/agent/want"
	"kerb/agent/week"
	"kerb/counting"
)

// Supervisor starts the uplink and the sensing processes, clears the tallies of these
// under the policy and carries the Releases to that. It cuts the windows, because it alone runs as long as the
// agent.
type Supervisor struct {
	site    *config.Site
	policy  *policy.Policy
	clock   clock.Clock
	journal *admission.Journal
	book    *logbook.Book // the lines of all processes
	log     *slog.Logger
	notify  notifier
	notices notices
	ready   chan struct{} // closed when all processes run

	Fingerprint      string          // of the two files, see admission; kerb aim must have read the same
	Version          string          // of the program, for kerb status
	Files            admission.Files // the device's own, which SIGHUP reads again
	want             want.Record     // of the files that a platform wants; under mu
	wantReceived     chan struct{}   // the uplink has stored a message on …/want
	restart          func(error)     // ends Run with this error
	auditCut         *audit.Cut      // what the audit log lacked at this start; nil: nothing
	cutNumber        atomic.Uint64   // of the queue's record of it; 0: it is stored, or there was none
	reloadRefused    string          // why the last SIGHUP changed nothing; "": it did, or there was none; under mu
	changed          changedSensors  // are not told yet; used by the goroutine of endWindows once Run counts
	slots            []*slot         // the cameras in the order of site.toml, then the loops
	streams          []counting.Stream
	publisher        *process.Watcher
	queue            *queue
	startReading     clock.Reading // when counting began
	wallNames        []cage.Wall   // of all walls, in the order of the reports
	walls            *ipc.Walls    // of this process
	publisherWalls   *ipc.Walls    // of the uplink; nil until its first report; under mu
	decoderWalls     *ipc.Walls    // of a decoder of H.265; nil without one
	online           atomic.Bool   // the uplink has a broker
	storeFault       atomic.Bool   // the uplink cannot write the spool
	busy             atomic.Bool   // an alert of the policy is on
	publisherStarted atomic.Bool   // an uplink has received Begin
	stopping         atomic.Bool   // the agent ends: processes that end now are not lost

	refusedAt time.Duration // of the last audit entry of a refused status page, since boot; 0: none; under mu

	mu               sync.Mutex
	collection       *collection      // the window that is being collected; nil between windows
	publisherProcess *process.Process // nil while the uplink is not ready

	queries  uint64      // that were sent to the uplink
	expected chan []byte // gets the answer to the last of them; nil: none is expected

	queryMu sync.Mutex // held while the uplink answers a query
}

// slot is the place of one sensing process among the others.
type slot struct {
	number      int // index in site.toml; the loops come after the cameras
	firstStream int // index of its first stream among all of the site
	streams     []counting.Stream
	watcher     *process.Watcher
	hours       week.Spans // of the camera; nil: always

	// The fields below are used under the supervisor's lock.
	process    *process.Process // nil while it is not counting
	aimed      bool             // kerb aim has the camera
	walls      *ipc.Walls       // nil until the first process reported them
	heartbeat  *ipc.Heartbeat   // the latest; nil until the first
	startedAt  time.Duration    // since boot: when the present process reported its walls
	lastBeat   *ipc.Heartbeat   // of the present process; nil until its first
	changedAt  time.Duration    // since boot: when delivering last began or ended
	rate       rateMeter        // of the pictures
	lostAt     time.Duration    // since boot: when it was first seen lost; 0: it is not
	lossSent   bool             // the uplink was told that the camera is lost
	sentFault  uint8            // counting.ViewFault that the uplink was told of; 0: none
	lineFaults []uint16         // for each line of the loops, the faults that stop counting; nil: none yet
}

// New makes the supervisor of a site under a policy. args are the arguments that a
// child needs to read the same files. Entries go to the journal, the log lines of
// the children to book. It is an error where a camera can never be opened.
func New(site *config.Site, pol *policy.Policy, clk clock.Clock, args []string, journal *admission.Journal, book *logbook.Book, log *slog.Logger) (*Supervisor, error) {
	s := &Supervisor{site: site, policy: pol, clock: clk, journal: journal, book: book, log: log, streams: site.Streams(), ready: make(chan struct{}), wantReceived: make(chan struct{}, 1)}
	s.queue = newQueue(pol.Retention(), s.sinceBoot)
	starter := process.NewStarter()
	s.publisher = &process.Watcher{
		Name: "uplink", Args: append([]string{"uplink"}, args...), WithHandover: true, WithQueries: true, Isolated: true, Log: log, ChildOutput: book, Starter: starter,
		OnStart: s.startPublisher, OnRecord: s.handlePublisherRecord, OnExit: func(uint8) { s.handlePublisherExit() },
	}
	for i, c := range site.Cameras {
		if err := opener.CheckPermanent(c); err != nil {
			return nil, err
		}
		o := opener.New(c, pol.MaxPixels(), starter.Start, book, log)
		o.Strict = site.Device.Strict
		s.addSlot(c.Streams(), c.Hours, &process.Watcher{
			Name: "sense " + c.Name, Args: append([]string{"sense", c.Name}, args...), WithHandover: true, Isolated: true,
			Log: log, ChildOutput: book, Starter: starter,
			OnStart: func(ctx context.Context, ch *process.Process) {
				defer o.Close()
				s.sendPauseState(i, ch)
				ch.Handover.Serve(ctx, o.OpenFiles, func(err error) { log.Warn("camera lost", "camera", c.Name, "err", err) })
			},
		})
	}
	if len(site.Loops.Lanes) > 0 {
		s.addSlot(site.Loops.Streams(), nil, &process.Watcher{
			Name: "sense loops", Args: append([]string{"sense"}, args...), Isolated: true, Log: log, ChildOutput: book, Starter: starter,
			OnStart: func(context.Context, *process.Process) {},
		})
	}
	return s, nil
}

// addSlot adds the slot of a sensing process and connects it to its watcher.
func (s *Supervisor) addSlot(streams []counting.Stream, hours week.Spans, w *process.Watcher) {
	p := &slot{number: len(s.slots), streams: streams, hours: hours, watcher: w}
	for _, other := range s.slots {
		p.firstStream += len(other.streams)
	}
	w.OnRecord = func(c *process.Process, m ipc.Record) error { return s.handleSensorRecord(p, c, m) }
	w.OnExit = func(why uint8) { s.handleSensorExit(p, why) }
	s.slots = append(s.slots, p)
}

// Run runs the agent until ctx ends, then stores the last window and stops the
// processes. It raises the walls of this process first; where one does not hold
// and the site is strict, that is an error. It returns ErrFilesChanged where kerb
// aim changed the files, or SIGHUP came and they are new and good, and child.RefusedError where a child refused its walls.
func (s *Supervisor) Run(ctx context.Context) error {
	if err := os.MkdirAll(s.site.Device.State, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	s.holdChanged()
	report, err := cage.Supervisor().Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil {
		if s.site.Device.Strict {
			return err
		}
		s.log.Warn("walls are missing", "err", err)
	}
	debug.FreeOSMemory()
	s.walls, s.wallNames = child.PackWalls(report), report.Walls
	s.walls.Sensor = ipc.SupervisorSensor
	if err := s.measureDecoder(); err != nil {
		return err
	}
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	s.restart = refuse
	childCtx, stopChildren := context.WithCancel(context.WithoutCancel(ctx))
	defer stopChildren()
	s.queueAuditCut()
	var running sync.WaitGroup
	for _, w := range s.watchers() {
		running.Go(func() {
			if err := w.Run(childCtx); err != nil {
				refuse(err)
			}
		})
	}
	running.Go(func() { s.runLamp(childCtx) })
	running.Go(func() { s.serveAim(childCtx) })
	running.Go(func() { s.serveStatus(childCtx) })
	running.Go(func() { s.serveReload(childCtx) })
	running.Go(func() { s.serveWant(childCtx) })
	running.Go(func() { s.serveEnrol(childCtx) })
	s.logStart()
	running.Go(func() { s.logReady(childCtx) })
	s.startReading = s.clock.ReadAll()
	err = clock.RunWindows(ctx, s.clock, s.startReading, s.policy.Window(), s.endWindows)
	s.drainQueue()
	s.stopping.Store(true)
	stopChildren()
	running.Wait()
	if refusal := new(child.RefusedError); errors.As(context.Cause(ctx), refusal) {
		return *refusal
	}
	if errors.Is(context.Cause(ctx), ErrFilesChanged) {
		return ErrFilesChanged
	}
	return err
}

// holdChanged finds the sensors that are held back, and logs them.
func (s *Supervisor) holdChanged() {
	var err error
	if s.changed, err = loadChanged(s.site); err != nil {
		s.log.Error("how the sensors were declared before is not known: no sensor counts in this window", "err", err)
	} else if names := s.changed.names(); len(names) > 0 {
		s.log.Info("declared otherwise than before: counted from the next window on", "sensors", names, "window", s.policy.Window())
	}
}

// measureDecoder measures the walls of a decoder of H.265 where a camera may need one:
// package opener starts it later, within the same. Where one does not hold and the
// site is strict, that is an error.
func (s *Supervisor) measureDecoder() error {
	if !s.site.HasDecoder() {
		return nil
	}
	reports, err := process.MeasureRoles("decode")
	if err != nil {
		return err
	}
	if err := reports[0].Strict(); err != nil {
		if s.site.Device.Strict {
			return err
		}
		s.log.Warn("walls are missing", "err", err)
	}
	s.decoderWalls = child.PackWalls(reports[0])
	s.decoderWalls.Sensor = ipc.DecoderSensor
	return nil
}

// watchers returns the watchers of all processes.
func (s *Supervisor) watchers() []*process.Watcher {
	ws := []*process.Watcher{s.publisher}
	for _, p := range s.slots {
		ws = append(ws, p.watcher)
	}
	return ws
}

// The limits of a stopping agent, chosen by hand. Within drainTimeout the uplink
// stores the last window and has ipc.DrainTimeout to send it.
const (
	drainTimeout  = ipc.DrainTimeout + 3*time.Second
	drainInterval = 10 * time.Millisecond // between two looks whether the uplink has ended
)

// drainQueue waits until the uplink has stored the queue, asks it to finish, and
// waits for its end, for at most drainTimeout in all.
func (s *Supervisor) drainQueue() {
	s.notify.notifyStopping()
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if !s.queue.waitEmpty(ctx) {
		s.log.Error("the last windows could not be stored")
		return
	}
	s.publisher.Stopping.Store(true)
	s.mu.Lock()
	c := s.publisherProcess
	s.mu.Unlock()
	if c == nil || c.SendRecords(&ipc.Finish{}) != nil {
		return
	}
	for ; ctx.Err() == nil; time.Sleep(drainInterval) {
		s.mu.Lock()
		ended := s.publisherProcess == nil
		s.mu.Unlock()
		if ended {
			return
		}
	}
}
