// Package clock reads the time, says how far it can be believed, and cuts it
// into windows.
//
// Windows run on the monotonic clock and are labelled by the wall clock. When
// the wall clock steps, the open window ends under the old time and the next
// one begins under the new: every instant lies in exactly one window, however
// wrong the clock was, and whoever reads a label can see whether to believe it.
package clock

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Reading is one look at all clocks.
type Reading struct {
	Wall   time.Time     // UTC
	Mono   time.Duration // since boot, suspended time included (CLOCK_BOOTTIME)
	Awake  time.Duration // since boot, without it (CLOCK_MONOTONIC)
	Synced bool          // Wall can be believed
	Source string        // why: "ntp", "floor" or "none"
}

// Clock reads the system's clocks. The wall clock is believed when the kernel
// says that something disciplines it, or when it shows at least Floor, if that
// is set: for a device without a time server whose clock someone sets. The
// zero Clock believes the kernel only.
type Clock struct {
	Floor time.Time
}

// Read looks at the clocks. On a kernel that does not answer, a clock reads 0.
func (c Clock) Read() Reading {
	r := Reading{Wall: time.Now().UTC().Round(0), Mono: Mono(), Awake: since(unix.CLOCK_MONOTONIC)}
	var t unix.Timex // no modes: reads, changes nothing, needs no right
	state, err := unix.Adjtimex(&t)
	return c.judge(r, err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0)
}

func (c Clock) judge(r Reading, disciplined bool) Reading {
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

// Mono is the time since boot, suspended time included, as in a Reading. Every
// process of a machine reads the same.
func Mono() time.Duration { return since(unix.CLOCK_BOOTTIME) }

func since(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// BootID is the kernel's UUID of this boot, "" if it has none. Monotonic times
// can be compared within one boot only.
func BootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
