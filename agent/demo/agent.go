package demo

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
)

// An Agent runs sensors, clearing, spool and uplink in one process, without the walls
// of kerb run. kerb demo and tests use it.
type Agent struct {
	windows windowLoop
	cameras []*sensor.Camera
	uplink  *uplink.Uplink
	store   *store.Store
	log     *slog.Logger
}

// clockFloor lies before any time that a clock shows, so that the demonstration
// trusts the clock of every machine.
var clockFloor = time.Unix(0, 0)

// NewAgent opens the spool and connects the sensors of site to it and to an uplink,
// whose messages name version. journal may be nil. The caller must call Run, which
// closes the spool.
func NewAgent(site *config.Site, pol *policy.Policy, version string, clk clock.Clock, journal *admission.Journal, log *slog.Logger) (*Agent, error) {
	if err := os.MkdirAll(site.Device.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	synced := new(atomic.Bool)
	db, err := publisher.OpenStore(site.Device.State, pol, clk, synced, publisher.StoreOpts(site)...)
	if err != nil {
		return nil, err
	}
	publisher.LogStart(log, db.Start())
	opts := publisher.UplinkOpts(site, pol, version, db, clk, log)
	opts.AgentReport = journal.StateReport
	a := &Agent{}
	up, err := uplink.New(opts)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	a.uplink, a.store, a.log = up, db, log
	a.windows = windowLoop{policy: pol, store: db, wakeUplink: up.Wake, clock: clk, synced: synced, journal: journal, log: log}
	now := func() time.Duration { return clk.ReadAll().Mono }
	for _, c := range site.Cameras {
		s, _ := NewLocalCamera(c, pol, (*exec.Cmd).Start, now, log)
		s.View.OnChange = publisher.CameraFaultReporter(db, c.Name)
		a.cameras = append(a.cameras, s)
		a.windows.sensors = append(a.windows.sensors, s)
	}
	if len(site.Loops.Lanes) > 0 {
		a.windows.sensors = append(a.windows.sensors, sensor.NewLoops(site.Loops, clk, publisher.LoopFaultReporter(db), log))
	}
	for _, c := range site.Comparisons {
		p, err := publisher.NewComparison(c, pol, site.Streams())
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
		a.windows.pairs = append(a.windows.pairs, p)
	}
	return a, nil
}

// NewLocalCamera returns the sensor of camera c, and the opener with which this
// process opens it. The opener's Close ends the programs that it has started.
func NewLocalCamera(c config.Camera, pol *policy.Policy, start func(*exec.Cmd) error, now func() time.Duration, log *slog.Logger) (*sensor.Camera, *opener.Opener) {
	o := opener.New(c, pol.MaxPixels(), start, io.Discard, log)
	return sensor.NewCamera(c, pol, opener.Local{Opener: o}, now, log), o
}

// Run counts, stores and sends until ctx ends, and then closes the spool. The uplink
// stops last, so that it can still send the window that was open.
func (a *Agent) Run(ctx context.Context) error {
	defer a.store.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sendCtx, stopUplink := context.WithCancel(context.WithoutCancel(ctx))
	var sensors, up sync.WaitGroup
	for _, s := range a.windows.sensors {
		var hours week.Spans
		if c, ok := s.(*sensor.Camera); ok {
			hours = c.Config.Hours
		}
		sensors.Go(func() { sensor.NewSchedule(a.windows.policy, hours, a.windows.clock.ReadAll).Run(ctx, s) })
	}
	up.Go(func() {
		if err := a.uplink.Run(sendCtx); err != nil && !errors.Is(err, context.Canceled) {
			a.log.Error("uplink ended", "err", err)
		}
	})
	err := a.windows.Run(ctx)
	stop() // where the windows ended with an error
	sensors.Wait()
	a.store.ReleaseHeld()
	a.uplink.SendNow()
	a.drainSpool(ipc.DrainTimeout)
	stopUplink()
	up.Wait()
	return err
}

// drainSpool waits until the spool has no window that the broker has not confirmed,
// at most for wait.
func (a *Agent) drainSpool(wait time.Duration) {
	for end := time.Now().Add(wait); time.Now().Before(end) && a.store.Stats().Pending > 0; {
		time.Sleep(20 * time.Millisecond)
	}
}
