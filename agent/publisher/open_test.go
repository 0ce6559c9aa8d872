package publisher

import (
	"testing"
	"time"

	"kerb/agent/config"
)

// The certificate of the broker is checked against clock_floor while the clock shows
// less: uplink.TLS.Floor. Package uplink tests what that does.
func TestTheBrokersCertificateIsCheckedAgainstClockFloor(t *testing.T) {
	for _, floor := range []time.Time{{}, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)} {
		site := &config.Site{Device: config.Device{ClockFloor: floor}}
		if got := ConnectionOpts(site, nil).TLS.Floor; !got.Equal(floor) {
			t.Errorf("the floor is %s, want %s", got, floor)
		}
	}
}
