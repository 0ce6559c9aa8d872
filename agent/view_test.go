package main

import (
	"testing"
	"time"

	"kerb/agent/aim/record"
	"kerb/agent/ipc"
	"kerb/counting"
	"kerb/counting/vision/health"
)

// The page has words for every fault that the camera's watch knows.
func TestEveryCameraFaultHasItsWordsOnThePage(t *testing.T) {
	names := record.FaultWords()
	if last := health.Fault(len(names) - 1); !last.Known() || (last + 1).Known() {
		t.Fatalf("the page knows %d faults, health others", len(names))
	}
	for i, name := range names {
		if f := health.Fault(i); f != health.Good && f.String() != "camera_"+name {
			t.Errorf("fault %d is %s here and %s on the page", i, f, name)
		}
	}
}

// What the two ends of the pipe call a fault must be the same: the room of the
// records knows numbers and words only.
func TestEveryCameraFaultCrossesThePipe(t *testing.T) {
	if last := health.Fault(ipc.Views); !last.Known() || (last + 1).Known() {
		t.Fatalf("parcel knows %d faults, health others", ipc.Views)
	}
	s := counting.Stream{ID: "kerb", Classes: []counting.Class{counting.Person}}
	w := &ipc.Window{N: 1, Start: 0, End: ipc.Instant(time.Minute)}
	for f := health.Frozen; f.Known(); f++ {
		if !f.Pauses() {
			continue
		}
		in := counting.Tally{Stream: "kerb", Quality: counting.Partial, Reason: f.String()}
		if out, err := ipc.Pack(1, 0, in).Unpack(s, w); err != nil || out.Reason != f.String() {
			t.Errorf("%v comes out as %q, %v", f, out.Reason, err)
		}
	}
}
