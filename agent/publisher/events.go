package publisher

import (
	"kerb/agent/store"
	"kerb/counting"
	"kerb/counting/loop"
)

// CameraFaultReporter returns a function that stores the event "camera_fault" when a
// fault of this camera's view begins (true) or ends (false).
func CameraFaultReporter(db *store.Store, camera string) func(counting.ViewFault, bool) {
	return func(f counting.ViewFault, on bool) {
		db.AddNote("camera_fault", map[string]any{"camera": camera, "fault": f.String(), "on": on, "counting": !on || !f.Pauses()})
	}
}

// LoopFaultReporter returns a function that stores the event "loop_fault".
func LoopFaultReporter(db *store.Store) func(loop.Event) {
	return func(e loop.Event) {
		if e.Fault == loop.Silent { // it stays on the device: see ipc.LoopFault
			return
		}
		db.AddNote("loop_fault", map[string]any{
			"stream": e.Stream, "line": e.Line, "fault": e.Fault.String(), "on": e.On, "n": e.N,
		})
	}
}
