// Package loop reads the edges of detector contacts with the kernel's own
// timestamps: both edges of each line in nanoseconds of CLOCK_MONOTONIC, with
// the kernel's count of edges, so that a lost one is known. It also reads and
// writes recordings of such edges.
//
// periph finds the chip by its label and the line by its name. The edges come
// from an own GPIO v2 line request per line (Linux 5.10), because periph's
// wait returns neither the edge nor its time. Where the kernel refuses that
// request, OpenPins reads any periph pin instead, with software timestamps.
//
// It neither removes bounce in software nor counts: the edges go out as the
// kernel reported them. A recording with a wrong row is refused with its file
// and row.
package loop

import (
	"errors"
	"time"
)

// Edge is one change of one line. It is an alias of an unnamed struct, so that
// the counting package can declare the same type without importing this one.
type Edge = struct {
	Line   int           // index of the line, in the order in which they were opened
	On     bool          // the line is active from At on
	At     time.Duration // CLOCK_MONOTONIC
	Missed uint32        // edges of this line lost right before this one
	Level  bool          // the level found at At, when the line was opened, and not a change
}

// MaxWait is the longest time for which ReadEdges of a live source waits for an edge.
const MaxWait = 250 * time.Millisecond

// ErrGone is wrapped by errors of a chip that has disappeared, such as an
// unplugged USB expander. The lines must be opened anew.
var ErrGone = errors.New("gpio chip is gone")

// ErrRefused is wrapped by errors of a kernel that does not know the line request
// or does not allow it. OpenPins may still work.
var ErrRefused = errors.New("gpio line request refused")
