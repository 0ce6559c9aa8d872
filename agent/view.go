package main

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"kerb/agent/parcel"
	"kerb/agent/store"
	"kerb/counting/vision/health"
)

// A view is how well a camera sees: what its watch says, and what of that is
// not told yet.
type view struct {
	watch  health.Watch  // of the goroutine that counts
	is     atomic.Uint32 // the latest verdict
	forget atomic.Bool   // somebody aims: the next view is the right one
	tell   func(f health.Fault, on bool)

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
const maxTurns = 16

// note takes the verdict of one picture.
func (v *view) note(now health.Fault, log *slog.Logger) {
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
	if n := len(v.changes); n > maxTurns {
		v.changes = append(v.changes[:0], v.changes[n-maxTurns:]...)
	}
}

// close tells what began and ended in a window, when it ends and not before:
// what hides a lens for a moment may be one lorry.
func (v *view) close() {
	v.mu.Lock()
	changes := v.changes
	v.changes = nil
	v.mu.Unlock()
	for _, t := range changes {
		v.tell(t.fault, t.on)
	}
}

// now is the latest verdict.
func (v *view) now() health.Fault { return health.Fault(v.is.Load()) }

// fresh is the watch of a camera that is opened: the one that it had, unless
// somebody aimed it meanwhile.
func (v *view) fresh() *health.Watch {
	if v.forget.Swap(false) {
		v.watch.Forget()
	}
	return &v.watch
}

// noteView tells the platform of a camera's fault.
func noteView(db *store.Store, camera string) func(health.Fault, bool) {
	return func(f health.Fault, on bool) {
		db.Note("camera_fault", map[string]any{"camera": camera, "fault": f.String(), "on": on, "counting": !on || !f.Pauses()})
	}
}

// sendView tells the supervisor of it, in numbers.
func sendView(out io.Writer) func(health.Fault, bool) {
	return func(f health.Fault, on bool) {
		_ = parcel.Write(out, &parcel.View{Fault: uint8(f), On: on}) // a supervisor that is gone says so on standard input
	}
}
