package publisher

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"

	"kerb/agent/admission"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/uplink"
)

// Build names the program to the platform.
type Build struct {
	Version  string
	Networks []Network // in the binary, in the order in which records number them
}

// Run is the process kerb uplink. It opens the spool and the uplink, raises the
// walls, then stores and sends the tallies that arrive on standard input until
// that ends.
func Run(ctx context.Context, site *config.Site, d admission.Decision, build Build, log *slog.Logger) error {
	child.LoadRootCAs(site.Broker.URL)
	pol, clk := d.Policy, clock.Clock{Floor: site.Device.ClockFloor}
	believed := new(atomic.Bool)
	db, err := OpenStore(site.Device.State, pol, clk, believed)
	if err != nil {
		return err
	}
	w := &Publisher{Site: site, Clock: clk, Out: os.Stdout, State: newDeviceState(site, d)}
	o := UplinkOpts(site, pol, build.Version, db, clk, log)
	o.AgentReport = w.State.Report
	see := NewDetectorReport(site, build.Networks)
	o.Birth.Sensors = func() []uplink.Sensor { return see.Sensors(w.State.detection) }
	up, err := uplink.New(o)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.Clearer = Clearer{Policy: pol, Store: db, Stored: up.Wake, Streams: site.Streams(), Believed: believed, Log: log}
	for _, c := range site.Comparisons {
		p, err := NewComparison(c)
		if err != nil {
			return errors.Join(err, db.Close())
		}
		w.Pairs = append(w.Pairs, p)
	}
	if err := w.recallLastWindow(); err != nil {
		return errors.Join(err, db.Close())
	}
	role, err := WallRole(site)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	report, err := child.RaiseWalls(role, site.Device.Strict, log)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.State.setOwnWalls(report)
	return w.Serve(ctx, up)
}
