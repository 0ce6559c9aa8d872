package publisher

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"kerb/agent/advice"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/uplink"
)

// connectTimeout bounds the login of kerb check -connect; chosen by hand.
const connectTimeout = 15 * time.Second

// CheckConnection logs in at the broker, see uplink.CheckConnection, and tells what to
// do about an error. version is the program's. It uses an empty spool in a
// temporary directory, so that it sends no window.
func CheckConnection(ctx context.Context, site *config.Site, pol *policy.Policy, version string) error {
	dir, err := os.MkdirTemp("", "kerb-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	db, err := OpenStore(dir, pol, clk, new(atomic.Bool))
	if err != nil {
		return err
	}
	defer db.Close()
	up, err := uplink.New(UplinkOpts(site, pol, version, db, clk, slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := up.CheckConnection(ctx); err != nil {
		return errors.New(advice.Join(err.Error(), advice.Broker(err.Error())))
	}
	return nil
}
