package supervisor

import (
	"log/slog"
	"testing"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/process"
	"kerb/counting"
)

// The state tells of a fault only when the event does.
func TestACameraFaultReachesTheUplink(t *testing.T) {
	site := &config.Site{Cameras: []config.Camera{{Name: "north"}}}
	s := &Supervisor{Site: site, queue: newQueue(), Journal: &admission.Journal{}, Log: slog.New(slog.DiscardHandler)}
	s.slots = []*slot{{heartbeat: &ipc.Heartbeat{View: uint8(counting.ViewMoved), Watching: true}, process: &process.Process{}}}
	m := &ipc.CameraFault{Fault: uint8(counting.ViewMoved), On: true}
	known := func() (f counting.ViewFault) {
		for _, m := range s.statusRecords() {
			if a, ok := m.(*ipc.Heartbeat); ok {
				f = counting.ViewFault(a.View)
			}
		}
		return f
	}
	if f := known(); f != counting.ViewGood {
		t.Errorf("the uplink knows of %v before it was told", f)
	}
	if err := s.handleSensorRecord(s.slots[0], nil, m); err != nil {
		t.Fatal(err)
	}
	if f := known(); f != counting.ViewMoved {
		t.Errorf("the uplink knows of %v", f)
	}
	if err := s.handleSensorRecord(&slot{number: 1}, nil, &ipc.CameraFault{Fault: 1}); err == nil {
		t.Error("the loops have a camera's fault")
	}
	i, ok := s.queue.waitAfter(t.Context(), 0)
	if v, isView := i.records[0].(*ipc.CameraFault); !ok || !isView || !v.On {
		t.Errorf("the uplink is told %+v", i)
	}
}
