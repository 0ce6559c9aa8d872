package supervisor

import (
	"testing"

	"kerb/agent/ipc"
)

// The uplink gets the same records for a busy street and an empty one, but
// for the magnitude of the numbers of pictures.
func TestHowMuchPassesIsNotToldToTheUplink(t *testing.T) {
	empty := ipc.Heartbeat{Pictures: 2100, Dropped: 1, LatencyP50: 10, LatencyP95: 106}
	busy := ipc.Heartbeat{Pictures: 2200, Dropped: 1, LatencyP50: 16, LatencyP95: 131}
	busy.Detection.Looks = 7
	if empty == busy {
		t.Fatal("nothing to hide")
	}
	hideActivity(&empty)
	hideActivity(&busy)
	if empty != busy || empty.Pictures != 2048 {
		t.Errorf("%+v\nand\n%+v", empty, busy)
	}
}
