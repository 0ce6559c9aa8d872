package publisher

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

// clearTimeout is the time to reach the broker. Chosen by hand.
const clearTimeout = 20 * time.Second

// ShownStreams returns the streams of which the broker keeps the last window, by the
// spool of the device; none where it cannot be read. Call it before the spool is locked.
func ShownStreams(dir string) []string {
	var shown []string
	_ = state.ActAsOwner(dir, func(dir string) error {
		db, err := store.OpenReadOnly(filepath.Join(dir, state.SpoolFile))
		if err != nil {
			return err
		}
		shown = db.Shown()
		return db.Close()
	})
	return shown
}

// ClearRetained removes the messages of the device that the broker retains, with the
// last windows of the given streams. The text of the error ends with the commands that
// do it from elsewhere.
func ClearRetained(ctx context.Context, site *config.Site, streams []string) error {
	ctx, cancel := context.WithTimeout(ctx, clearTimeout)
	defer cancel()
	o := ConnectionOpts(site, nil)
	err := uplink.ClearRetained(ctx, o, streams)
	if err == nil {
		return nil
	}
	var by strings.Builder
	for _, topic := range uplink.RetainedTopics(uplink.Address{Tenant: o.Tenant, Site: o.Site, Device: o.Device}, streams) {
		fmt.Fprintf(&by, "\nhint: mosquitto_pub -r -n -t %s", topic)
	}
	return fmt.Errorf("the broker still retains messages of this device: %w%s", err, by.String())
}
