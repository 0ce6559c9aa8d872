package relay

import (
	"testing"

	"kerb/agent/uplink"
)

// A device that never was away is asked for what follows its last window, too, after a
// broker has forgotten the relay's session: windows can have ended with it.
func TestAfterABrokerForgotTheSessionEachDeviceIsAskedForItsTail(t *testing.T) {
	c, a := newCommands(), uplink.Address{Tenant: "city", Site: "soho", Device: "pi-1"}
	online := []byte(`{"online":true}`)
	c.takeState(a, online)
	c.tails = map[uplink.Address]bool{} // it was asked at the start
	if c.takeState(a, online); c.tails[a] {
		t.Error("it is asked at each state")
	}
	c.forgetStates()
	if c.takeState(a, online); !c.tails[a] {
		t.Error("it is not asked")
	}
}
