package supervisor

import (
	"log/slog"
	"testing"
	"time"

	"kerb/agent/clock"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/process"
	"kerb/counting"
)

// The state message must not tell a fault before its event.
func TestACameraFaultReachesTheUplink(t *testing.T) {
	site := &config.Site{Cameras: []config.Camera{{Name: "north"}}}
	s := &Supervisor{site: site, queue: newQueue(time.Hour, clock.SinceBoot), journal: &admission.Journal{}, log: slog.New(slog.DiscardHandler)}
	s.slots = []*slot{{heartbeat: &ipc.Heartbeat{ViewFault: uint8(counting.ViewMoved), Delivering: true}, process: &process.Process{}}}
	m := &ipc.CameraFault{Fault: uint8(counting.ViewMoved), On: true}
	known := func() (f counting.ViewFault) {
		for _, m := range s.statusRecords() {
			if a, ok := m.(*ipc.Heartbeat); ok {
				f = counting.ViewFault(a.ViewFault)
			}
		}
		return f
	}
	if f := known(); f != counting.ViewGood {
		t.Errorf("the uplink gets %v before the event", f)
	}
	if err := s.handleSensorRecord(s.slots[0], nil, m); err != nil {
		t.Fatal(err)
	}
	if f := known(); f != counting.ViewMoved {
		t.Errorf("the uplink gets %v", f)
	}
	if err := s.handleSensorRecord(&slot{number: 1}, nil, &ipc.CameraFault{Fault: 1}); err == nil {
		t.Error("the loops have a camera's fault")
	}
	i, ok := s.queue.waitAfter(t.Context(), 0)
	if v, isView := i.records[0].(*ipc.CameraFault); !ok || !isView || !v.On {
		t.Errorf("the uplink gets %+v", i)
	}
}
