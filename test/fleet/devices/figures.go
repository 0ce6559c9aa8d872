package devices

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"kerb/agent/relay"
)

// Patience is how long the waits of this package last. Chosen by hand, for a busy machine.
const Patience = 20 * time.Minute

// Back is how a fleet came back.
type Back struct {
	Planned   int           // connects in the worst second, by the devices' own plans
	Connected int           // connects in the worst second, as they came about on this machine
	Last      time.Duration // from began until the last device may send windows
}

func (b Back) String() string {
	return fmt.Sprintf("%d connects planned in the worst second, %d made; all back after %s", b.Planned, b.Connected, b.Last.Round(time.Second))
}

// WaitBack waits until the devices from…to-1 may send windows, over connections that they
// made since began.
func (f *Fleet) WaitBack(from, to int, began time.Time) Back {
	f.t.Helper()
	n := to - from
	planned, connected := make([]time.Time, n), make([]time.Time, n)
	for end := time.Now().Add(Patience); ; time.Sleep(50 * time.Millisecond) {
		back := 0
		for i, d := range f.all[from:to] {
			s := d.uplink.Status()
			if connected[i].IsZero() && s.Retry.After(began) {
				planned[i] = s.Retry
			}
			if connected[i].IsZero() && s.Connected && s.Since.After(began) {
				connected[i] = s.Since
				if planned[i].IsZero() { // the wait was shorter than two looks are apart
					planned[i] = s.Since
				}
			}
			if !connected[i].IsZero() && d.uplink.IsOnline() {
				back++
			}
		}
		if back == n {
			return Back{Peak(planned, time.Second), Peak(connected, time.Second), time.Since(began)}
		}
		if time.Now().After(end) {
			f.t.Fatalf("%d of %d devices are back after %s", back, n, Patience)
		}
	}
}

// Peak returns the largest number of times within a span. It sorts them.
func Peak(times []time.Time, span time.Duration) (most int) {
	slices.SortFunc(times, time.Time.Compare)
	for i, j := 0, 0; j < len(times); j++ {
		for times[j].Sub(times[i]) >= span {
			i++
		}
		most = max(most, j-i+1)
	}
	return most
}

// Delivery is how windows reached the broker.
type Delivery struct {
	Last time.Duration // from began until the last window was acknowledged and given back
	Most int           // windows in the busiest second
}

func (d Delivery) String() string {
	return fmt.Sprintf("%d windows in the busiest second, the last after %s", d.Most, d.Last.Round(time.Second))
}

// WaitDelivered waits until no window waits in a spool.
func (f *Fleet) WaitDelivered(began time.Time) (d Delivery) {
	f.t.Helper()
	last, at := uint64(0), time.Now()
	for end := time.Now().Add(Patience); ; time.Sleep(time.Second) {
		left, online := f.Pending()
		if took := time.Since(at).Seconds(); last > left && took > 0 {
			d.Most = max(d.Most, int(float64(last-left)/took))
		}
		last, at = left, time.Now()
		if left == 0 {
			d.Last = time.Since(began)
			return d
		}
		if time.Now().After(end) {
			f.t.Fatalf("%d windows wait in the spools after %s, %d devices are online", left, Patience, online)
		}
	}
}

// WaitLedger waits until the ledger of the relay whose position is in dir has so many
// windows, of which none is missing, unexplained or gone. It returns how long that took.
func (f *Fleet) WaitLedger(dir string, windows int) time.Duration {
	f.t.Helper()
	began := time.Now()
	for end := began.Add(Patience); ; time.Sleep(2 * time.Second) {
		l, err := relay.ReadLedger(dir, "")
		if err != nil {
			f.t.Fatal(err)
		}
		here, holes := 0, 0
		for _, r := range l.Rows {
			here += r.Received - r.Parts
			holes += r.Missing + r.Unexplained + len(r.Gone)
		}
		if here == windows && holes == 0 {
			return time.Since(began)
		}
		if time.Now().After(end) {
			f.t.Fatalf("the ledger has %d of %d windows and %d holes", here, windows, holes)
		}
	}
}

// Memory returns the resident memory of a process in MB, 0 where it cannot be read.
func Memory(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(text), "VmRSS:")
	if !found {
		return 0
	}
	kb, _ := strconv.Atoi(strings.Fields(rest)[0])
	return kb >> 10
}
