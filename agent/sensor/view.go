package sensor

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"kerb/agent/ipc"
	"kerb/counting"
	"kerb/counting/vision/health"
)

// View keeps the current fault of a camera's view, such as a covered lens, and the
// changes of the open window that are not reported yet.
type View struct {
	// OnChange is called at the end of a window for each fault that began or ended
	// in it. Set it before the camera runs.
	OnChange func(f counting.ViewFault, on bool)

	monitor        health.Monitor // of the goroutine that counts
	current        atomic.Uint32  // the fault of the latest picture
	resetAtOpening atomic.Bool    // the camera is being aimed: its next view is the reference

	mu      sync.Mutex
	changes []viewChange // of the open window
}

// viewChange is a fault that begins or ends.
type viewChange struct {
	fault counting.ViewFault
	on    bool
}

// maxViewChanges bounds the changes that one window reports of a camera whose fault
// flaps. The newest are kept, so that the last state is always reported. Chosen by
// hand.
const maxViewChanges = 16

// updateFault sets the fault of the latest picture and records a change.
func (v *View) updateFault(now counting.ViewFault, log *slog.Logger) {
	was := counting.ViewFault(v.current.Swap(uint32(now)))
	if was == now {
		return
	}
	if now == counting.ViewGood {
		log.Info("the camera's view is well again")
	} else {
		log.Warn("the camera's view", "fault", now, "counting", !now.Pauses())
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, t := range []viewChange{{was, false}, {now, true}} {
		if t.fault != counting.ViewGood {
			v.changes = append(v.changes, t)
		}
	}
	if n := len(v.changes); n > maxViewChanges {
		v.changes = append(v.changes[:0], v.changes[n-maxViewChanges:]...)
	}
}

// reportChanges reports the changes of a window when it ends, not before: a lens
// that is covered for a moment may show when one lorry passed.
func (v *View) reportChanges() {
	v.mu.Lock()
	changes := v.changes
	v.changes = nil
	v.mu.Unlock()
	for _, t := range changes {
		v.OnChange(t.fault, t.on)
	}
}

// Fault returns the fault of the latest picture.
func (v *View) Fault() counting.ViewFault { return counting.ViewFault(v.current.Load()) }

// monitorForOpening returns the health monitor of a camera that is opened. It keeps
// its reference picture, unless the camera was aimed since the last opening.
func (v *View) monitorForOpening() *health.Monitor {
	if v.resetAtOpening.Swap(false) {
		v.monitor.ResetReference()
	}
	return &v.monitor
}

// SendCameraFaults returns an OnChange that writes each change as a record.
func SendCameraFaults(out io.Writer) func(counting.ViewFault, bool) {
	return func(f counting.ViewFault, on bool) {
		_ = ipc.WriteRecord(out, &ipc.CameraFault{Fault: uint8(f), On: on}) // a supervisor that is gone is noticed on standard input
	}
}
