package publisher

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/uplink"
)

// clearTimeout is the time to reach the broker. Chosen by hand.
const clearTimeout = 20 * time.Second

// ClearRetained removes the messages of the device that the broker retains. The text of
// the error ends with the commands that do it from elsewhere.
func ClearRetained(ctx context.Context, site *config.Site) error {
	ctx, cancel := context.WithTimeout(ctx, clearTimeout)
	defer cancel()
	o := ConnectionOpts(site, nil)
	err := uplink.ClearRetained(ctx, o)
	if err == nil {
		return nil
	}
	var by strings.Builder
	for _, topic := range uplink.RetainedTopics(uplink.Address{Tenant: o.Tenant, Site: o.Site, Device: o.Device}) {
		fmt.Fprintf(&by, "\nhint: mosquitto_pub -r -n -t %s", topic)
	}
	return fmt.Errorf("the broker still retains messages of this device: %w%s", err, by.String())
}
