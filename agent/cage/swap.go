package cage

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// swapsPath lists the swap areas in use, below a line of headings (proc(5)).
const swapsPath = "/proc/swaps"

// lockMemory keeps all memory of the process out of the swap, the present and the
// future one, each page from its first use on (mlockall with MCL_ONFAULT). Exact counts
// lie in Go's heap, and so in no block of their own. It does so only without a limit of
// locked memory (RLIMIT_MEMLOCK, LimitMEMLOCK= of systemd): below one, the kernel would
// refuse memory later, and end the process.
func lockMemory() error {
	_ = setLimit(unix.RLIMIT_MEMLOCK, unix.RLIM_INFINITY) // root may
	most, err := hardLimit(unix.RLIMIT_MEMLOCK)
	if err != nil {
		return err
	}
	if most != unix.RLIM_INFINITY {
		return fmt.Errorf("not without a limit: RLIMIT_MEMLOCK is %d KiB", most>>10)
	}
	return unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
}

// measureSwap locks the memory of a process that has exact counts, and reports whether
// the kernel can write it to a swap area. Without one it cannot, as long as none is added.
func measureSwap(p plan) Wall {
	w := Wall{Name: "be swapped to a disk"}
	if p.grants&(database|decoding) != 0 {
		w.Reason = "has no exact count"
	}
	state := "swap is on"
	if !swapIsOn() {
		state, w.Holds = "swap is off", true
	}
	if w.Reason != "" {
		w.How = state
		return w
	}
	if err := lockMemory(); err != nil {
		w.How = "mlockall: " + err.Error() + "; " + state
		return w
	}
	w.How, w.Holds = "mlockall; "+state, true
	return w
}

// swapIsOn reports whether the kernel has a swap area; also where it does not tell.
func swapIsOn() bool {
	text, err := os.ReadFile(swapsPath)
	return err != nil || strings.Count(string(text), "\n") > 1
}
