package sensor

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"kerb/agent/ipc"
	"kerb/counting/vision/health"
)

// A view is how well a camera sees: what its watch says, and what of that is
// not told yet.
type View struct {
	Watch  health.Watch  // of the goroutine that counts
	is     atomic.Uint32 // the latest verdict
	Forget atomic.Bool   // somebody aims: the next view is the right one
	Tell   func(f health.Fault, on bool)

	mu      sync.Mutex
	changes []turn // of the open window
}

// turn is a fault that begins or ends.
type turn struct {
	fault health.Fault
	on    bool
}

// maxTurns bounds what one window tells of a camera that cannot make up its
// mind. The last one is always told.
const MaxTurns = 16

// note takes the verdict of one picture.
func (v *View) Note(now health.Fault, log *slog.Logger) {
	was := health.Fault(v.is.Swap(uint32(now)))
	if was == now {
		return
	}
	if now == health.Good {
		log.Info("the camera's view is well again")
	} else {
		log.Warn("the camera's view", "fault", now, "counting", !now.Pauses())
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, t := range []turn{{was, false}, {now, true}} {
		if t.fault != health.Good {
			v.changes = append(v.changes, t)
		}
	}
	if n := len(v.changes); n > MaxTurns {
		v.changes = append(v.changes[:0], v.changes[n-MaxTurns:]...)
	}
}

// close tells what began and ended in a window, when it ends and not before:
// what hides a lens for a moment may be one lorry.
func (v *View) Close() {
	v.mu.Lock()
	changes := v.changes
	v.changes = nil
	v.mu.Unlock()
	for _, t := range changes {
		v.Tell(t.fault, t.on)
	}
}

// now is the latest verdict.
func (v *View) Now() health.Fault { return health.Fault(v.is.Load()) }

// fresh is the watch of a camera that is opened: the one that it had, unless
// somebody aimed it meanwhile.
func (v *View) Fresh() *health.Watch {
	if v.Forget.Swap(false) {
		v.Watch.Forget()
	}
	return &v.Watch
}

// sendView tells the supervisor of it, in numbers.
func SendView(out io.Writer) func(health.Fault, bool) {
	return func(f health.Fault, on bool) {
		_ = ipc.Write(out, &ipc.View{Fault: uint8(f), On: on}) // a supervisor that is gone says so on standard input
	}
}
