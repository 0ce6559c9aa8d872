package image

import (
	"fmt"
	mrand "math/rand/v2"
	"os"
	"sort"
	"testing"
	"time"

	"kerb/test/broker"
)

// Every third cut falls while the machine starts. The others wait until kerb is
// ready and fall within the 75 s after it, so that most of them see the end of a
// window, the spool's writing and the broker's acknowledgement.
func TestPowerCutsLoseNothingAcknowledged(t *testing.T) {
	imageDir(t)
	cuts := 3
	if os.Getenv("KERB_LONG") != "" {
		cuts = 50
	}
	b := broker.New(t)
	files, trust := everyMinute(t)
	files["site.toml"] = site(b.Port, trust)
	files["system.toml"] = fmt.Sprintf("[time]\nservers = [%q]\n", timeServer(t))
	m := newMachine(t, files)
	done, ready := 0, 0
	for ; done < cuts && timeFor(t, 2*patience); done++ {
		m.start()
		if starting := done%3 == 0; starting {
			time.Sleep(mrand.N(27 * time.Second))
		} else {
			m.until("kerb is ready", patience, func() bool { return m.said("kerb is ready") })
			time.Sleep(mrand.N(75 * time.Second))
		}
		if m.said("kerb is ready") {
			ready++
		}
		if m.said("Kernel panic") {
			t.Fatalf("cut %d: the kernel does not start:\n%s", done, m.console())
		}
		m.cut()
		t.Logf("cut %d, %.0f s after the power: %d ready, %d windows", done+1, time.Since(m.begun).Seconds(), ready, len(b.WindowsByID(t)))
	}
	m.start()
	before := time.Now()
	m.until("a window after the last cut", patience, func() bool { return len(b.MessagesOn("/count/square", before)) > 0 })
	time.Sleep(5 * time.Second) // for late messages
	all := b.WindowsByID(t)
	for _, fault := range faults(all) {
		t.Error(fault)
	}
	t.Logf("%d cuts, %d of them while kerb was ready; %d windows, %d faults", done, ready, len(all), len(faults(all)))
	if ready == 0 || len(all) == 0 {
		t.Error("this shows nothing")
	}
}

// timeFor is whether the test may still run for so long.
func timeFor(t *testing.T, d time.Duration) bool {
	end, ok := t.Deadline()
	return !ok || time.Until(end) > d
}

// faults are numbers that never came below one that did, and windows that came
// twice and differ. A window is given up when the broker has acknowledged it:
// one that was acknowledged and is not with the broker is a hole.
func faults(all map[broker.Window][]string) (found []string) {
	type stream struct{ epoch, name string }
	last := map[stream]uint64{}
	for w, texts := range all {
		for _, text := range texts[1:] {
			if text != texts[0] {
				found = append(found, fmt.Sprintf("%+v came twice and differs:\n%s\n%s", w, texts[0], text))
			}
		}
		s := stream{w.Epoch, w.Stream}
		last[s] = max(last[s], w.Seq)
	}
	for s, seq := range last {
		for n := uint64(1); n <= seq; n++ {
			if all[broker.Window{Epoch: s.epoch, Stream: s.name, Seq: n}] == nil {
				found = append(found, fmt.Sprintf("epoch %s, %s: number %d of %d never came", s.epoch, s.name, n, seq))
			}
		}
	}
	sort.Strings(found)
	return found
}

// The control of the test above: it sees lost windows, and windows sent again.
func TestAHoleIsSeen(t *testing.T) {
	whole := func() map[broker.Window][]string {
		all := map[broker.Window][]string{}
		for _, z := range zones() {
			for n := uint64(1); n <= 5; n++ {
				all[broker.Window{Epoch: "e", Stream: z.id, Seq: n}] = []string{"same", "same"}
			}
		}
		return all
	}
	if f := faults(whole()); len(f) != 0 {
		t.Errorf("nothing is wrong: %q", f)
	}
	lost := whole()
	delete(lost, broker.Window{Epoch: "e", Stream: "path", Seq: 3})
	if f := faults(lost); len(f) != 1 {
		t.Errorf("one is lost: %q", f)
	}
	anew := whole()
	anew[broker.Window{Epoch: "e", Stream: "road", Seq: 5}][1] = "other"
	if f := faults(anew); len(f) != 1 {
		t.Errorf("one was told anew: %q", f)
	}
}
