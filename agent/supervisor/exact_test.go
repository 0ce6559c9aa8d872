package supervisor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/agent/sensor"
	"kerb/counting"
)

// marked is the sensor of a test: a tallier with counts that stand nowhere else in memory.
type marked struct {
	counting.Stream
	tallier *counting.Tallier
}

// The counts of a window, hidden from the search by a mask: person and bicycle, each way.
const countMask = 0x5a5a5a5a

var maskedCounts = [2][2]uint32{{4129 ^ countMask, 4657 ^ countMask}, {3907 ^ countMask, 4271 ^ countMask}}

func newMarked() *marked {
	s := counting.Stream{ID: "kerb", Kind: counting.LineStream, Classes: []counting.Class{counting.Person, counting.Bicycle}}
	return &marked{Stream: s, tallier: counting.NewTallier([]counting.Stream{s})}
}

// count counts for the length of a window that begins at the monotonic time from.
func (m *marked) count(from, length time.Duration) {
	for at := from; at <= from+length; at += time.Second {
		m.tallier.MarkWatched(at)
	}
	for class := range maskedCounts {
		for dir, n := range maskedCounts[class] {
			for range n ^ countMask {
				m.tallier.AddCrossing(counting.Crossing{Stream: m.ID, Class: counting.Class(class), Dir: counting.Direction(dir)})
			}
		}
	}
}

func (m *marked) Streams() []counting.Stream { return []counting.Stream{m.Stream} }
func (m *marked) Run(context.Context)        {}
func (m *marked) MarkLost(r counting.Reason) { m.tallier.MarkLost(r) }

func (m *marked) CloseWindow(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	return m.tallier.CloseWindows(mono, start, end, whole)
}

// findCounts returns how many places of this process's memory hold the counts of a class,
// both ways, as a Tally or a record has them. What it reads is masked at once, so that it
// does not find its own buffer.
func findCounts(t *testing.T) (places int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	mem, err2 := os.Open("/proc/self/mem")
	if err := errors.Join(err, err2); err != nil {
		t.Skipf("the memory of this process cannot be read: %v", err)
	}
	defer mem.Close()
	b := make([]byte, 1<<20)
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil || !strings.Contains(line, " rw") {
			continue
		}
		for at := from; at < to; at += int64(len(b)) - 8 {
			n, _ := mem.ReadAt(b[:min(int64(len(b)), to-at)], at)
			last := uint32(0)
			for i := 0; i+4 <= n; i += 4 {
				word := binary.LittleEndian.Uint32(b[i:]) ^ countMask
				binary.LittleEndian.PutUint32(b[i:], word)
				if i > 0 && ([2]uint32{last, word} == maskedCounts[0] || [2]uint32{last, word} == maskedCounts[1]) {
					places++
				}
				last = word
			}
		}
	}
	return places
}

// exactStage is the supervisor with one sensing process, whose code runs here.
type exactStage struct {
	s      *Supervisor
	sensor *marked
	ended  time.Duration // monotonic end of the last window

	refused chan struct{} // a tally was
}

func newExactStage(t *testing.T) *exactStage {
	pol, err := policy.Load("../../configs/policy-standard.toml")
	inR, inW, err2 := os.Pipe()
	outR, outW, err3 := os.Pipe()
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	m := newMarked()
	p := &slot{streams: []counting.Stream{m.Stream}, watcher: &process.Watcher{Name: "sense north"}}
	s := &Supervisor{
		policy: pol, streams: p.streams, slots: []*slot{p}, log: slog.New(slog.DiscardHandler),
		queue: newQueue(pol.Retention(), func() time.Duration { return 0 }),
	}
	p.process = &process.Process{Cmd: &exec.Cmd{Process: &os.Process{}}, Stdin: inW, Stdout: outR}
	refused := make(chan struct{}, 1)
	var all sync.WaitGroup
	all.Go(func() {
		if err := sensor.ServeWindows(inR, outW, m, pol.Window(), func(bool) {}); err != nil {
			t.Error(err)
		}
		outW.Close()
	})
	all.Go(func() {
		for {
			r, err := ipc.ReadRecord(outR)
			if err != nil {
				return
			}
			if s.handleSensorRecord(p, p.process, r) != nil { // a tally that was not asked for
				refused <- struct{}{}
			}
		}
	})
	t.Cleanup(func() {
		inW.Close()
		all.Wait()
		inR.Close()
		outR.Close()
	})
	return &exactStage{s, m, 0, refused}
}

// playWindow counts through a window that begins at the wall time start, and returns it.
func (e *exactStage) playWindow(start time.Time) clock.Window {
	from, length := e.ended, e.s.policy.Window()
	e.sensor.count(from, length)
	e.ended += length
	return clock.Window{Start: start, End: start.Add(length), Mono: e.ended}
}

// When a window has ended, its exact counts are nowhere in the memory of the sensing process
// and of the supervisor, nor in the queue of a process with a network that stores nothing:
// whether its spool is foreign, broken, full or locked, or there is no network. Nor are they
// there with a clock in 1970, before it, or stepped, where the policy clears nothing, or
// where the tallies come too late. Before, they were in up to 20 places. The controls find
// them in the open window, and in a record.
func TestExactCountsAreGoneWhenTheirWindowHasEnded(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a stack that it moves in the midst leaves a copy
	at := func(year int) time.Time { return time.Date(year, 11, 23, 12, 0, 0, 0, time.UTC) }
	for name, play := range map[string]func(e *exactStage){
		"nothing is stored": func(e *exactStage) {
			for i := range 3 {
				e.s.collectWindow(e.playWindow(at(2026).Add(time.Duration(i)*e.s.policy.Window())), false)
			}
		},
		"a clock in 1970":   func(e *exactStage) { e.s.collectWindow(e.playWindow(time.Unix(0, 0).UTC()), false) },
		"a clock before it": func(e *exactStage) { e.s.collectWindow(e.playWindow(at(1969)), false) },
		"a clock that steps": func(e *exactStage) {
			e.s.collectWindow(e.playWindow(at(2026)), false)
			e.s.collectWindow(e.playWindow(at(2036)), false)
			e.s.collectWindow(e.playWindow(at(2016)), true)
		},
		"tallies that come too late": func(e *exactStage) {
			w := e.playWindow(at(2026))
			if err := e.s.slots[0].process.SendRecords(&ipc.CloseWindow{N: 7, Start: ipc.ToInstant(w.Start), End: ipc.ToInstant(w.End), Mono: w.Mono}); err != nil {
				t.Error(err)
			}
			<-e.refused
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(newExactStage(t))
			if n := findCounts(t); n > 0 {
				t.Errorf("in %d places after the window", n)
			}
		})
	}
	e := newExactStage(t)
	e.playWindow(at(2040))
	if findCounts(t) == 0 {
		t.Error("the control: not found in the open window")
	}
	clear(e.sensor.CloseWindow(e.ended, at(2040), at(2040).Add(e.s.policy.Window()), e.s.policy.Window()))
	answer := ipc.PackTally(0, 0, counting.Tally{Crossings: [counting.Classes][counting.Directions]uint32{
		{maskedCounts[0][0] ^ countMask, maskedCounts[0][1] ^ countMask},
	}})
	if findCounts(t) == 0 {
		t.Error("the control: a record that is not overwritten is not found")
	}
	*answer = ipc.Tally{}
}

// A sensing process that ends while it answers leaves nothing in the supervisor.
func TestAnAnswerThatIsNotWholeIsOverwritten(t *testing.T) {
	m := newMarked()
	p := &slot{streams: []counting.Stream{m.Stream, m.Stream}, watcher: &process.Watcher{Name: "sense north"}}
	s := &Supervisor{log: slog.New(slog.DiscardHandler)}
	s.stopping.Store(true)
	tally := &ipc.Tally{Crossings: [counting.Classes][counting.Directions]uint32{{7, 9}}}
	s.collection = &collection{tallies: []*ipc.Tally{tally, nil}, open: map[*slot]bool{p: true}, complete: make(chan struct{})}
	s.handleSensorExit(p, ipc.LostEnded)
	if *tally != (ipc.Tally{}) {
		t.Error("it holds counts")
	}
	if late := (&ipc.Tally{Crossings: tally.Crossings, N: 3}); s.collection.addTally(p, late) == nil || *late != (ipc.Tally{}) {
		t.Error("a late one holds counts")
	}
}
