package main

import (
	"context"
	"errors"
	"os"
	"sync/atomic"

	"kerb/agent/admission"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/publisher"
	"kerb/agent/uplink"
)

// speak is the process that speaks: numbers in on standard input, Releases
// into the spool, messages to the broker.
type uplinkCmd struct{ admission.Inner }

func (s *uplinkCmd) Run(ctx context.Context) error {
	site, v, log, err := enter(s.Inner)
	if err != nil {
		return err
	}
	child.Trust(site.Broker.URL)
	pol, clk := v.Policy, clock.Clock{Floor: site.Device.ClockFloor}
	believed := new(atomic.Bool)
	db, err := publisher.OpenStore(site.Device.State, pol, clk, believed)
	if err != nil {
		return err
	}
	w := &publisher.Writer{Site: site, Clock: clk, Out: os.Stdout, Condition: publisher.NewCondition(site, v)}
	o := publisher.UplinkOpts(site, pol, versionName(), db, clk, log)
	o.Report = w.Condition.Report
	see := publisher.NewSeers(site, builtInNetworks())
	o.Birth.Sensors = func() []uplink.Sensor { return see.Tell(w.Condition.Sight) }
	up, err := uplink.New(o)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.Accountant = publisher.Accountant{Policy: pol, Store: db, Stored: up.Wake, Streams: site.Streams(), Believed: believed, Log: log}
	for _, c := range site.Compare {
		p, err := publisher.NewCompared(c)
		if err != nil {
			return errors.Join(err, db.Close())
		}
		w.Pairs = append(w.Pairs, p)
	}
	if err := w.Recall(); err != nil {
		return errors.Join(err, db.Close())
	}
	role, err := publisher.Speaker(site)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	report, err := child.Wall(role, site.Device.Strict, log)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.Condition.Own(report)
	return w.Serve(ctx, up)
}
