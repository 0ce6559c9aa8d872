// Package clock reads the system's clocks, reports whether the wall clock is
// synced, and cuts time into windows.
//
// Windows run on the monotonic clock and are labelled by the wall clock. When
// the wall clock steps, the open window ends under the old time and the next
// one begins under the new one. So every instant lies in exactly one window,
// and each label says whether it can be trusted. The package refuses to set a
// clock, and it never moves a window that has ended.
package clock

import (
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Reading is one reading of all clocks.
type Reading struct {
	Wall   time.Time     // UTC
	Mono   time.Duration // since boot, suspended time included (CLOCK_BOOTTIME)
	Awake  time.Duration // since boot, without suspended time (CLOCK_MONOTONIC)
	Synced bool          // Wall is disciplined, or not below the floor
	Source string        // why it is synced: "ntp", "floor" or "none"
}

// Clock reads the system's clocks. The wall clock counts as synced when the
// kernel says that it is disciplined, or when it shows at least Floor, if that
// is set: for a device without a time server, whose clock is set by hand. The
// zero Clock relies on the kernel alone.
type Clock struct {
	Floor time.Time

	// Read replaces the system's clocks, for tests that play hours in a moment; nil: the
	// system's.
	Read func() Reading
}

// ReadAll reads the clocks. Where the kernel returns an error, a clock reads 0.
func (c Clock) ReadAll() Reading {
	if c.Read != nil {
		return c.Read()
	}
	r := Reading{Wall: time.Now().UTC().Round(0), Mono: SinceBoot(), Awake: readClock(unix.CLOCK_MONOTONIC)}
	var t unix.Timex // no modes: it only reads, and needs no capability
	state, err := unix.Adjtimex(&t)
	return c.setSource(r, err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0)
}

// setSource sets Synced and Source of a reading; disciplined is the kernel's
// answer.
func (c Clock) setSource(r Reading, disciplined bool) Reading {
	switch {
	case disciplined:
		r.Synced, r.Source = true, "ntp"
	case !c.Floor.IsZero() && !r.Wall.Before(c.Floor):
		r.Synced, r.Source = true, "floor"
	default:
		r.Source = "none"
	}
	return r
}

// SinceBoot returns the time since boot, suspended time included, as in a Reading.
// All processes of a machine read the same clock.
func SinceBoot() time.Duration { return readClock(unix.CLOCK_BOOTTIME) }

// readClock returns the time of a clock, 0 on an error.
func readClock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// BootID returns the kernel's UUID of this boot, "" if there is none. Monotonic
// times can be compared within one boot only.
func BootID() string { return readBootID() }

// readBootID reads the file once: it does not change while a process runs, and the walls of
// the uplink forbid to open it.
var readBootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
})
