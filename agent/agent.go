package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/agent/week"
)

// An agent is the whole pipeline of one device in one process.
type agent struct {
	windows windows
	cameras []*sensor
	uplink  *uplink.Uplink
	store   *store.Store
	log     *slog.Logger
}

// newAgent opens the spool and wires everything. The book may be nil.
func newAgent(site *config.Site, pol *policy.Policy, clk clock.Clock, keep *book, log *slog.Logger) (*agent, error) {
	if err := os.MkdirAll(site.Device.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	believed := new(atomic.Bool)
	db, err := openStore(site.Device.State, pol, clk, believed)
	if err != nil {
		return nil, err
	}
	opts := uplinkOpts(site, pol, db, clk, log)
	opts.Report = keep.report
	a := &agent{}
	see := newSeers(site)
	opts.Birth.Sensors = func() []uplink.Sensor {
		return see.tell(func(i int) parcel.Sight { return a.cameras[i].sight() })
	}
	up, err := uplink.New(opts)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	a.uplink, a.store, a.log = up, db, log
	a.windows = windows{policy: pol, store: db, stored: up.Wake, clock: clk, believed: believed, book: keep, log: log}
	now := func() time.Duration { return clk.Read().Mono }
	for _, c := range site.Cameras {
		s := newSensor(c, pol, now, log)
		s.view.tell = noteView(db, c.Name)
		a.cameras = append(a.cameras, s)
		a.windows.sensors = append(a.windows.sensors, s)
	}
	if len(site.Loops.Lanes) > 0 {
		a.windows.sensors = append(a.windows.sensors, newLoops(site.Loops, clk, noteFault(db), log))
	}
	for _, c := range site.Compare {
		p, err := newCompared(c)
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
		a.windows.pairs = append(a.windows.pairs, p)
	}
	return a, nil
}

// openStore opens the spool, whose retention goes by the clock. Windows are
// stamped as believed while believed says so.
func openStore(dir string, pol *policy.Policy, clk clock.Clock, believed *atomic.Bool) (*store.Store, error) {
	boot := clock.BootID()
	return store.Open(filepath.Join(dir, spoolFile), store.Keep(pol.Retention()), store.Machine(store.MachineID()),
		store.Stamp(func() (string, bool) { return boot, believed.Load() }),
		store.Now(func() time.Time {
			if r := clk.Read(); r.Synced {
				return r.Wall
			}
			return time.Time{}
		}))
}

func uplinkOpts(site *config.Site, pol *policy.Policy, db *store.Store, clk clock.Clock, log *slog.Logger) uplink.Opts {
	d, b := site.Device, site.Broker
	o := uplink.Opts{
		Broker: b.URL, User: b.User, PasswordFile: b.PasswordFile,
		TLS:    uplink.TLS{CAFile: b.CAFile, CertFile: b.CertFile, KeyFile: b.KeyFile},
		Tenant: d.Tenant, Site: d.Site, Device: d.Name,
		Birth: uplink.Birth{
			Window: pol.Window(), Version: versionName(),
			Acceptance: acceptances(site.Device.State),
			Policy:     uplink.Policy{Hash: pol.Hash(), Title: pol.Title(), Controller: pol.Controller(), Contact: pol.Contact()},
		},
		Store: db, Allow: pol.AllowsCommand, Log: log,
		Clock: func() uplink.Clock {
			r := clk.Read()
			return uplink.Clock{Synced: r.Synced, Source: r.Source}
		},
	}
	if p := d.Place; p != (config.Place{}) {
		o.Birth.Place = &uplink.Place{Name: p.Description, Lat: &p.Lat, Lon: &p.Lon}
	}
	for _, s := range site.Streams() {
		st := uplink.Stream{ID: s.ID, Kind: s.Kind.String(), Sensor: s.Sensor, Instants: s.Still}
		for _, c := range s.Classes {
			st.Classes = append(st.Classes, c.String())
		}
		o.Birth.Streams = append(o.Birth.Streams, st)
	}
	return o
}

// run counts, stores and sends until the context ends. The uplink stops last,
// so that the window that was open may still leave.
func (a *agent) run(ctx context.Context) error {
	defer a.store.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sending, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	var sensors, up sync.WaitGroup
	for _, s := range a.windows.sensors {
		var own week.Shifts
		if c, ok := s.(*sensor); ok {
			own = c.camera.Hours
		}
		sensors.Go(func() { newShifts(a.windows.policy, own, a.windows.clock.Read).run(ctx, s) })
	}
	up.Go(func() {
		if err := a.uplink.Run(sending); err != nil && !errors.Is(err, context.Canceled) {
			a.log.Error("uplink ended", "err", err)
		}
	})
	err := a.windows.run(ctx)
	stop() // where it was the windows that could not go on
	sensors.Wait()
	a.drain(lastChance)
	hangUp()
	up.Wait()
	return err
}

// lastChance is how long a stopping agent waits for the broker. What is not
// acknowledged by then is sent after the next start.
const lastChance = 3 * time.Second

func (a *agent) drain(wait time.Duration) {
	for end := time.Now().Add(wait); time.Now().Before(end) && a.store.Stats().Pending > 0; {
		time.Sleep(20 * time.Millisecond)
	}
}
