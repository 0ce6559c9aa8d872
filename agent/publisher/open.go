package publisher

import (
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

// openStore opens the spool, whose retention goes by the clock. Windows are
// stamped as believed while believed says so.
func OpenStore(dir string, pol *policy.Policy, clk clock.Clock, believed *atomic.Bool) (*store.Store, error) {
	boot := clock.BootID()
	return store.Open(filepath.Join(dir, state.SpoolFile), store.KeepFor(pol.Retention()), store.MachineIs(store.MachineID()),
		store.StampWith(func() (string, bool) { return boot, believed.Load() }),
		store.WallClock(func() time.Time {
			if r := clk.ReadAll(); r.Synced {
				return r.Wall
			}
			return time.Time{}
		}))
}

func UplinkOpts(site *config.Site, pol *policy.Policy, version string, db *store.Store, clk clock.Clock, log *slog.Logger) uplink.Opts {
	d, b := site.Device, site.Broker
	o := uplink.Opts{
		Broker: b.URL, User: b.User, PasswordFile: b.PasswordFile,
		TLS:    uplink.TLS{CAFile: b.CAFile, CertFile: b.CertFile, KeyFile: b.KeyFile},
		Tenant: d.Tenant, Site: d.Site, Device: d.Name,
		Birth: uplink.Birth{
			Window: pol.Window(), Version: version,
			Acceptance: ReadAcceptances(site.Device.State),
			Policy:     uplink.Policy{Hash: pol.Hash(), Title: pol.Title(), Controller: pol.Controller(), Contact: pol.Contact()},
		},
		Store: db, AllowVerb: pol.AllowsCommand, Log: log,
		Clock: func() uplink.Clock {
			r := clk.ReadAll()
			return uplink.Clock{Synced: r.Synced, Source: r.Source}
		},
	}
	if p := d.Place; p != (config.Place{}) {
		o.Birth.Place = &uplink.Place{Name: p.Description, Lat: &p.Lat, Lon: &p.Lon}
	}
	for _, s := range site.Streams() {
		st := uplink.Stream{ID: s.ID, Kind: s.Kind.String(), Sensor: s.Sensor, Instants: s.Polled}
		for _, c := range s.Classes {
			st.Classes = append(st.Classes, c.String())
		}
		o.Birth.Streams = append(o.Birth.Streams, st)
	}
	return o
}
