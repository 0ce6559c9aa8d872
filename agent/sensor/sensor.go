// Package sensor is a sensing process: one camera, or the inductive loops of the
// site, from the source to the tallies of each window.
//
// RunCamera is kerb sense NAME and RunLoops is kerb sense: they count in the hours
// that policy and site.toml allow, close a window when the supervisor asks for it
// on standard input, and write its tallies to standard output as records of package
// ipc. RunSketch is kerb sketch NAME: it counts over lines that are being drawn,
// and writes silhouettes. Camera and Loops are the two implementations of Sensor; a
// lost source is opened again with exponential back-off.
//
// It refuses to open files, sockets or programs: descriptors come from the
// supervisor over package handover, and the network's file and the secrets are read
// before the walls of package cage stand. It refuses to count outside the hours,
// while the camera is aimed, and in pictures whose fault would make counts wrong.
// It reports faults when a window ends and not before, because the time of a fault
// may be the time at which one vehicle passed.
package sensor

import (
	"context"
	"time"

	"kerb/counting"
)

// Sensor is a camera or the loops, as a schedule and the windows use them.
type Sensor interface {
	// Streams returns the streams that it counts, in the order of site.toml.
	Streams() []counting.Stream
	// Run counts until ctx ends. A source that fails is opened again.
	Run(ctx context.Context)
	// MarkLost records that the sensor does not observe from now on, and the reason.
	MarkLost(reason counting.Reason)
	// CloseWindow closes the open window of every stream at mono and opens the
	// next. mono is on the clock that counts from boot, suspension included; start
	// and end are the wall times of the window. A window that observed less than
	// whole is partial or a gap.
	CloseWindow(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally
}
