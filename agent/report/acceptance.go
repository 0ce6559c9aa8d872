package report

import (
	"io"
	"time"

	"kerb/agent/acceptance"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/publisher"
	"kerb/agent/state"
	"kerb/agent/uplink"
)

// WriteAcceptance writes the acceptance sheet of a site, with the tallies that the state
// directory holds. policy is the hash of the policy in force, version the program's.
func WriteAcceptance(w io.Writer, site *config.Site, policy, version, lang string) error {
	var results []uplink.Acceptance
	err := state.ActAsOwner(site.Device.State, func(dir string) error {
		results = publisher.ReadAcceptances(dir)
		return nil
	})
	if err != nil {
		results = nil // no directory yet: no tally was kept
	}
	printed := time.Time{}
	if r := (clock.Clock{Floor: site.Device.ClockFloor}).ReadAll(); r.Synced {
		printed = r.Wall.UTC()
	}
	return acceptance.Sheet{Site: site, Policy: policy, Version: version, Results: results, Printed: printed}.Write(w, lang)
}
