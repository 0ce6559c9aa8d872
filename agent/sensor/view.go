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

// A view is how well a camera sees: what its watch says, and what of that is
// not told yet.
type View struct {
	Watch    health.Monitor // of the goroutine that counts
	is       atomic.Uint32  // the latest verdict
	Forget   atomic.Bool    // somebody aims: the next view is the right one
	OnChange func(f counting.ViewFault, on bool)

	mu      sync.Mutex
	changes []viewChange // of the open window
}

// viewChange is a fault that begins or ends.
type viewChange struct {
	fault counting.ViewFault
	on    bool
}

// maxTurns bounds what one window tells of a camera that cannot make up its
// mind. The last one is always told.
const maxViewChanges = 16

// note takes the verdict of one picture.
func (v *View) setFault(now counting.ViewFault, log *slog.Logger) {
	was := counting.ViewFault(v.is.Swap(uint32(now)))
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

// close tells what began and ended in a window, when it ends and not before:
// what hides a lens for a moment may be one lorry.
func (v *View) reportChanges() {
	v.mu.Lock()
	changes := v.changes
	v.changes = nil
	v.mu.Unlock()
	for _, t := range changes {
		v.OnChange(t.fault, t.on)
	}
}

// now is the latest verdict.
func (v *View) Fault() counting.ViewFault { return counting.ViewFault(v.is.Load()) }

// fresh is the watch of a camera that is opened: the one that it had, unless
// somebody aimed it meanwhile.
func (v *View) watchForOpening() *health.Monitor {
	if v.Forget.Swap(false) {
		v.Watch.ResetReference()
	}
	return &v.Watch
}

// sendView tells the supervisor of it, in numbers.
func SendCameraFaults(out io.Writer) func(counting.ViewFault, bool) {
	return func(f counting.ViewFault, on bool) {
		_ = ipc.WriteRecord(out, &ipc.CameraFault{Fault: uint8(f), On: on}) // a supervisor that is gone says so on standard input
	}
}
