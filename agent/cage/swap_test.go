package cage

import (
	"strings"
	"testing"
)

// A process that has exact counts locks all its memory where it may, also what it gets
// later and gives back. Where it may not, the wall holds only without a swap area, and
// says so.
func TestExactCountsAreNotSwapped(t *testing.T) {
	users(t, func(t *testing.T, user int) {
		cmd, _ := child(t, "unswapped", user)
		o := run(t, cmd)
		w, kib := o.Report.Walls[0], o.LockedKiB
		t.Log(w, kib)
		if kib[0] != 0 {
			t.Fatalf("%d KiB are locked before: nothing is shown", kib[0])
		}
		if strings.HasPrefix(w.How, "mlockall; ") {
			if !w.Holds || kib[1] == 0 || kib[2] < kib[1]+24<<10 {
				t.Errorf("VmLck %v KiB, and %+v", kib, w)
			}
			return
		}
		if w.Holds == swapIsOn() || kib[1] != 0 {
			t.Errorf("VmLck %v KiB, swap is on: %v, and %+v", kib, swapIsOn(), w)
		}
	})
}

func TestTheUplinkHasNoExactCountToSwap(t *testing.T) {
	if w := measureSwap(Uplink().State(t.TempDir()).Database().makePlan()); w.Reason == "" {
		t.Errorf("%+v", w)
	}
}
