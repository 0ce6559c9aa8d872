package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"kerb/agent/admission"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/opener"
	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/sensor"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/agent/week"
	"kerb/counting"
)

// An inProcessAgent is the whole pipeline of one device in one process.
type inProcessAgent struct {
	windows windowLoop
	cameras []*sensor.Camera
	uplink  *uplink.Uplink
	store   *store.Store
	log     *slog.Logger
}

// newInProcessAgent opens the spool and wires everything. The book may be nil.
func newInProcessAgent(site *config.Site, pol *policy.Policy, clk clock.Clock, keep *admission.Journal, log *slog.Logger) (*inProcessAgent, error) {
	if err := os.MkdirAll(site.Device.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	believed := new(atomic.Bool)
	db, err := publisher.OpenStore(site.Device.State, pol, clk, believed)
	if err != nil {
		return nil, err
	}
	opts := publisher.UplinkOpts(site, pol, versionName(), db, clk, log)
	opts.AgentReport = keep.StateReport
	a := &inProcessAgent{}
	see := publisher.NewDetectorReport(site, builtInNetworks())
	opts.Birth.Sensors = func() []uplink.Sensor {
		return see.Sensors(func(i int) ipc.Detection { return a.cameras[i].Detection() })
	}
	up, err := uplink.New(opts)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	a.uplink, a.store, a.log = up, db, log
	a.windows = windowLoop{policy: pol, store: db, stored: up.Wake, clock: clk, believed: believed, book: keep, log: log}
	now := func() time.Duration { return clk.ReadAll().Mono }
	for _, c := range site.Cameras {
		s, _ := newLocalCamera(c, pol, (*exec.Cmd).Start, now, log)
		s.View.OnChange = publisher.CameraFaultReporter(db, c.Name)
		a.cameras = append(a.cameras, s)
		a.windows.sensors = append(a.windows.sensors, s)
	}
	if len(site.Loops.Lanes) > 0 {
		a.windows.sensors = append(a.windows.sensors, sensor.NewLoops(site.Loops, clk, publisher.LoopFaultReporter(db), log))
	}
	for _, c := range site.Comparisons {
		p, err := publisher.NewComparison(c)
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
		a.windows.pairs = append(a.windows.pairs, p)
	}
	return a, nil
}

// newLocalCamera returns the sensor of a camera that this process opens itself, and
// its opener, whose programs end with its Close.
func newLocalCamera(c config.Camera, pol *policy.Policy, start func(*exec.Cmd) error, now func() time.Duration, log *slog.Logger) (*sensor.Camera, *opener.Opener) {
	door := opener.New(c, pol.MaxPixels(), start, io.Discard, log)
	return sensor.New(c, pol, opener.Local{Opener: door}, now, log), door
}

// run counts, stores and sends until the context ends. The uplink stops last,
// so that the window that was open may still leave.
func (a *inProcessAgent) Run(ctx context.Context) error {
	defer a.store.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sending, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	var sensors, up sync.WaitGroup
	for _, s := range a.windows.sensors {
		var own week.Spans
		if c, ok := s.(*sensor.Camera); ok {
			own = c.Config.Hours
		}
		sensors.Go(func() { sensor.NewSchedule(a.windows.policy, own, a.windows.clock.ReadAll).Run(ctx, s) })
	}
	up.Go(func() {
		if err := a.uplink.Run(sending); err != nil && !errors.Is(err, context.Canceled) {
			a.log.Error("uplink ended", "err", err)
		}
	})
	err := a.windows.Run(ctx)
	stop() // where it was the windows that could not go on
	sensors.Wait()
	a.drain(ipc.DrainTimeout)
	hangUp()
	up.Wait()
	return err
}

func (a *inProcessAgent) drain(wait time.Duration) {
	for end := time.Now().Add(wait); time.Now().Before(end) && a.store.Stats().Pending > 0; {
		time.Sleep(20 * time.Millisecond)
	}
}

// windowLoop ends the windows of all sensors of one process together and hands
// them to the accountant.
type windowLoop struct {
	sensors []sensor.Sensor
	policy  *policy.Policy
	store   *store.Store
	stored  func() // tells the uplink that there is something new
	clock   clock.Clock
	book    *admission.Journal // nil in a demonstration
	log     *slog.Logger
	pairs   []publisher.Comparison

	believed *atomic.Bool // see accountant
}

// run cuts time into the policy's windows until the context ends; the open
// window is then stored as far as it came.
func (w *windowLoop) Run(ctx context.Context) error {
	begun := w.clock.ReadAll()
	a := w.newClearer()
	a.StartMono = begun.Mono
	return clock.RunWindows(ctx, w.clock, begun, w.policy.Window(), func(ended []clock.Window, step *clock.Step, last bool) error {
		if err := a.FillDownGaps(w.clock.ReadAll()); err != nil {
			return err
		}
		if last {
			for _, s := range w.sensors {
				s.MarkLost(counting.ReasonStopped)
			}
		}
		if err := w.endWindows(ended, step); err != nil {
			return err
		}
		w.store.RetryWrites()
		return nil
	})
}

func (w *windowLoop) newClearer() *publisher.Clearer {
	a := &publisher.Clearer{Policy: w.policy, Store: w.store, OnStored: w.stored, Pairs: w.pairs, Synced: w.believed, Log: w.log}
	for _, s := range w.sensors {
		a.Streams = append(a.Streams, s.Streams()...)
	}
	return a
}

// end closes the windows that ended and reports the step that ended them.
func (w *windowLoop) endWindows(ended []clock.Window, step *clock.Step) error {
	if step != nil {
		w.log.Warn("clock stepped", "from", step.From, "to", step.To)
		w.store.AddNote("clock_step", step.EventData())
		w.book.WriteEntry("clock_step", step.EventData())
	}
	for _, e := range ended {
		var tallies []counting.Tally
		for _, s := range w.sensors {
			tallies = append(tallies, s.CloseWindow(e.Mono, e.Start, e.End, w.policy.Window())...)
		}
		if err := w.newClearer().ClearAndStore(tallies, e.Synced); err != nil {
			return err
		}
	}
	return nil
}
