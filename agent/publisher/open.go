package publisher

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"kerb/agent/busyness"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

// OpenStore opens the spool in the state directory dir. It deletes windows after
// the retention of the policy, and stamps each window with the boot and with the value
// of synced at that moment. With the windows it stores what follows from them for the
// policy's alerts. The errors are those of store.Open. more are further options, such as
// those of StoreOpts.
func OpenStore(dir string, pol *policy.Policy, clk clock.Clock, synced *atomic.Bool, more ...store.Option) (*store.Store, error) {
	boot := clock.BootID()
	return store.Open(filepath.Join(dir, state.SpoolFile), append(more, store.Sealed(), store.KeepFor(pol.Retention()), store.MachineIs(store.MachineID()),
		store.UptimeClock(clock.SinceBoot), store.HoldUnsynced(), store.DeriveWith(busyness.New(pol.Alerts()).Derive), store.StampWith(func() (string, bool) { return boot, synced.Load() }),
		store.WallClock(func() time.Time {
			if r := clk.ReadAll(); r.Synced {
				return r.Wall
			}
			return time.Time{}
		}))...)
}

// StoreOpts returns the options of the spool that site.toml asks for.
func StoreOpts(site *config.Site) []store.Option {
	d := site.Device
	return []store.Option{
		store.DeviceIs(Address(d).String()), store.WatermarkMode(site.Broker.Confirm),
	}
}

// LogStart logs how the spool was found when it was opened, unless that is as usual.
func LogStart(log *slog.Logger, s store.Start) {
	if s.Refused > 0 {
		log.Warn("records in the spool are not this device's, or were changed, and were put aside", "windows", s.Refused)
	}
	if s.Reason == "" {
		return
	}
	how := map[string]string{
		"boot": "the device has booted", "damaged": "the spool was damaged", "deleted": "the spool was deleted",
		"foreign": "the spool was another device's", "machine_changed": "the spool is from another machine",
		"renamed": "the device has another name", "restored": "the spool went back in time: a copy, or a card that loses what was written",
		"touched": "the spool was copied or changed since it was closed", "unclean_end": "the spool was not closed: a crash or a power cut",
		"unknown_end": "the spool lacks its witness",
	}[s.Reason]
	args := []any{"reason", s.Reason, "previous", s.Previous}
	level := slog.LevelInfo
	if n := s.LostWindows(); n > 0 {
		level, args = slog.LevelWarn, append(args, "lost", n, "undelivered", s.Undelivered)
	}
	if s.Kept != "" {
		level, args = slog.LevelWarn, append(args, "kept", s.Kept)
	}
	log.Log(context.Background(), level, "a new epoch: "+how, args...)
}

// ConnectionOpts returns the options that an uplink needs to reach the broker of
// site.toml and to publish the events in db. They allow no command and hold no
// birth message.
func ConnectionOpts(site *config.Site, db *store.Store) uplink.Opts {
	d, b := site.Device, site.Broker
	return uplink.Opts{
		Broker: b.URL, User: b.User, PasswordFile: b.PasswordFile,
		ClientID: b.ClientID,
		TLS:      uplink.TLS{CAFile: b.CAFile, CertFile: b.CertFile, KeyFile: b.KeyFile, ALPN: b.ALPN, Floor: d.ClockFloor},
		Tenant:   d.Tenant, Site: d.Site, Device: d.Name,
		Store:       db,
		NewestFirst: b.NewestFirst, LateInterval: b.Pace, LateByteRate: b.ByteRate,
		Spread: b.Spread, RetryMin: b.RetryMin, RetryMax: b.RetryMax,
	}
}

// UplinkOpts returns the options of the uplink of a counting device:
// ConnectionOpts, and the birth message, the commands that the policy allows, the
// clock and the log. version is the program's.
func UplinkOpts(site *config.Site, pol *policy.Policy, version string, db *store.Store, clk clock.Clock, log *slog.Logger) uplink.Opts {
	o := ConnectionOpts(site, db)
	o.Birth = newBirth(site, pol, version)
	o.AllowVerb, o.Log = pol.AllowsCommand, log
	o.KeepsNow, o.Busyness = pol.KeepsNow(), busyness.New(pol.Alerts())
	o.Clock = func() uplink.Clock {
		r := clk.ReadAll()
		return uplink.Clock{Synced: r.Synced, Source: r.Source}
	}
	return o
}
