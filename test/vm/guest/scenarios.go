package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"kerb/counting"
	count "kerb/counting/loop"
	"kerb/drivers/button"
	"kerb/drivers/loop"
)

// The loops: a pair on the first two lines, and single ones on the other two.
// Vehicles are faster and shorter than real ones, so that 50 of them fit into a
// second.
const (
	spacing    = 2.5 // m
	loopLength = 1.0 // m
)

// loopLayout returns the counter's lanes and limits for these loops.
func loopLayout() count.Opts {
	o := count.Opts{
		Lanes: []count.Lane{
			{Stream: "pair", Loops: []int{0, 1}, Spacing: spacing, LoopLength: loopLength},
			{Stream: "left", Loops: []int{2}},
			{Stream: "right", Loops: []int{3}},
		},
		Limits: count.DefaultLimits(),
	}
	for _, n := range lineNames {
		o.Lines = append(o.Lines, count.Line{Name: n})
	}
	o.Limits.MinOn = 10 * time.Millisecond
	// These loops have more onsets than real ones, and shorter gaps and more equal
	// on-times than vehicles.
	o.Limits.Chatter, o.Limits.LetGo, o.Limits.Card = 0, 0, false
	return o
}

// loopLines returns the GPIO lines of the simulated chip.
func loopLines() (ls []loop.Line) {
	for _, n := range lineNames {
		ls = append(ls, loop.Line{Chip: chipLabel, Name: n})
	}
	return ls
}

// openTimed opens the lines with the kernel's time for every edge.
func openTimed() (loop.Reader, error) {
	r, err := loop.OpenLines(loopLines(), 0)
	if err == nil && r.SoftwareTimed() {
		err = errors.New("the kernel refused the line request")
	}
	return r, err
}

// openDebounced lets the kernel debounce for 5 ms.
func openDebounced() (loop.Reader, error) { return loop.OpenLines(loopLines(), 5*time.Millisecond) }

// openCoarse polls the pins, the fallback where the kernel refuses the line
// request.
func openCoarse() (loop.Reader, error) {
	all, err := loop.ListLines()
	if err != nil {
		return nil, err
	}
	found, err := loop.FindLines(all, loopLines())
	if err != nil {
		return nil, err
	}
	var pins []gpio.PinIn
	for _, f := range found {
		pins = append(pins, f.PeriphPin())
	}
	return loop.OpenPins(pins, loopLines())
}

// result holds the measurements of a scenario.
type result struct {
	Driven     map[string]int
	Counted    map[string]int
	Directions map[string]int
	Missed     uint32
	Bounce     uint32
	Short      uint32
	Unsure     int       // vehicles over the pair with a contact time uncertain by more than moveUncertainty
	SpeedError quantiles // relative: |measured/driven - 1|
	Length     quantiles
	Latency    quantiles // ms from moving the contact to the kernel's time
	Late       quantiles // ms by which contacts were moved too late: whether the guest keeps up
	PeakRSS    float64   // MiB of this process so far, the planned moves included
	Events     []string
	Quality    map[string]string
	Windows    []string        `json:",omitempty"`
	Traffic    []windowTraffic `json:",omitempty"` // of whole windows of the pair
}

// windowTraffic compares one window of the pair with the vehicles driven in it.
type windowTraffic struct {
	Vehicles  int
	Speed     float64 // relative: measured mean / driven mean - 1
	Occupancy float64 // ‰, measured - driven

	first  int // of the vehicles in it
	window count.Window
}

// trafficWindow is the length of the windows of the pair.
const trafficWindow = 10 * time.Second

// compareTraffic compares the windows with the times at which contacts really moved.
func (r *result) compareTraffic(pair []drivenVehicle) {
	for i := range r.Traffic {
		w := &r.Traffic[i]
		driven := 0.0
		for _, v := range pair[w.first : w.first+w.Vehicles] {
			driven += spacing / (v.on[1] - v.on[0]).Seconds() / float64(w.Vehicles)
		}
		var covered time.Duration
		for _, v := range pair {
			covered += max(0, min(v.off[0], w.window.End)-max(v.on[0], w.window.Start))
		}
		tally := w.window.ToTally()
		mean, _ := tally.Traffic.MeanSpeed()
		occupancy, _ := tally.Traffic.Occupancy()
		w.Speed = mean/3.6/driven - 1
		w.Occupancy = 1000 * (occupancy - float64(covered)/float64(trafficWindow))
	}
}

// quantiles summarise a sample by median, 99th percentile and maximum.
type quantiles struct{ P50, P99, Max float64 }

// quantilesOf sorts v and returns its quantiles; all are 0 for an empty sample.
func quantilesOf(v []float64) (q quantiles) {
	if len(v) == 0 {
		return q
	}
	slices.Sort(v)
	return quantiles{v[len(v)/2], v[len(v)*99/100], v[len(v)-1]}
}

// peakRSS returns the peak resident size of this process, MiB.
func peakRSS() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Maxrss) / 1024
}

const never = time.Duration(math.MaxInt64)

const (
	minGap          = 12 * time.Millisecond  // between two vehicles on a line; chosen by hand
	moveUncertainty = 300 * time.Microsecond // of a contact's time, beyond which a speed is not compared
)

// playMoves moves the contacts on time, or as soon as it can. A late move
// delays the following ones of its line, so that no presence gets shorter, and
// no gap shorter than 12 ms.
func (s *simChip) playMoves(moves []contactMove, start time.Duration, pair []drivenVehicle, late *[]float64) error {
	runtime.LockOSThread() // sleep in the kernel, not in Go's timers
	defer runtime.UnlockOSThread()
	var last, lastAt [len(lineNames)]time.Duration
	for _, m := range moves {
		apart := m.at - lastAt[m.line]
		if m.first && m.closed {
			apart = min(apart, minGap)
		}
		if due := max(start+m.at, last[m.line]+apart); due > s.now() {
			ts := unix.NsecToTimespec(int64(due))
			if err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil); err != nil {
				return err
			}
		}
		now := s.now()
		last[m.line], lastAt[m.line] = now, m.at
		if err := s.setContact(m.line, m.closed); err != nil {
			return err
		}
		if !m.first {
			continue
		}
		*late = append(*late, (now-start-m.at).Seconds()*1e3)
		if m.line < 2 {
			// This process was interrupted between clock and contact: the time of
			// the move is too uncertain for a speed.
			pair[m.n].unsure = pair[m.n].unsure || s.now()-now > moveUncertainty
		}
		if m.line < 2 && m.closed {
			pair[m.n].on[m.line] = now
		} else if m.line < 2 {
			pair[m.n].off[m.line] = now
		}
	}
	return nil
}

// compareSpeeds compares the measured passages over the pair with the simulated
// ones, by the times at which the contacts really moved.
func (r *result) compareSpeeds(seen []counting.Crossing, pair []drivenVehicle) {
	var speed, length, latency []float64
	for _, p := range seen {
		r.Counted[p.Stream]++
		r.Directions[p.Dir.String()]++
		if i := r.Counted[p.Stream] - 1; p.Stream == "pair" && i < len(pair) {
			v := pair[i]
			if v.unsure {
				r.Unsure++
				continue
			}
			driven := spacing / (v.on[1] - v.on[0]).Seconds()
			long := driven*(v.off[0]-v.on[0]+v.off[1]-v.on[1]).Seconds()/2 - loopLength
			speed = append(speed, math.Abs(p.Speed/driven-1))
			length = append(length, math.Abs(p.Length/long-1))
			latency = append(latency, (p.At-v.on[0]).Seconds()*1e3)
		}
	}
	r.SpeedError, r.Length, r.Latency = quantilesOf(speed), quantilesOf(length), quantilesOf(latency)
}

// runOverrun stalls the reader until the kernel's buffer of a line has
// overflowed, and returns the edges moved, read and reported as missed.
func runOverrun(s *simChip) (any, error) {
	port, err := openTimed()
	if err != nil {
		return nil, err
	}
	defer port.Close()
	const flips = 1500
	for i := range flips {
		if err := s.setContact(0, i%2 == 0); err != nil {
			return nil, err
		}
		time.Sleep(200 * time.Microsecond)
	}
	var read, missed int
	var buf [100]loop.Edge
	for {
		n, _, err := port.ReadEdges(context.Background(), buf[:])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return map[string]int{"moved": flips, "read": read, "missed": missed}, nil
		}
		for _, e := range buf[:n] {
			if !e.Level {
				read, missed = read+1, missed+int(e.Missed)
			}
		}
	}
}

// runUnplugged drives vehicles over the pair and the single loops; after 4 s
// the pair's second line and the left line stop.
func runUnplugged(s *simChip) (any, error) {
	port, err := openTimed()
	if err != nil {
		return nil, err
	}
	defer port.Close()
	o := loopLayout()
	o.Limits.Silent = [24]time.Duration{4 * time.Second}
	o.Limits.Daily = false
	counter, err := count.New(port, o)
	if err != nil {
		return nil, err
	}
	moves, _, _, _ := makeTraffic(600)
	var cut []contactMove
	var on [4]bool
	for _, m := range moves {
		// A vehicle that is on the loop at the cut leaves it: an open contact is free. A loop
		// that stayed covered would be one with a parked vehicle.
		if m.at < 4*time.Second || m.line == 0 || m.line == 3 || on[m.line] {
			cut = append(cut, m)
			on[m.line] = m.closed
		}
	}
	done := make(chan error, 1)
	start := s.now() + 100*time.Millisecond
	var late []float64
	pair := make([]drivenVehicle, len(moves))
	go func() { done <- s.playMoves(cut, start, pair, &late) }()
	var r result
	counter.SetWindowEnd(start + 3*time.Second)
	for len(r.Windows) < 4*3 {
		st, err := counter.CountBatch(context.Background())
		if err != nil {
			return nil, err
		}
		for _, e := range st.Events {
			r.Events = append(r.Events, fmt.Sprint(e.Line, " ", e.Fault, " ", e.On))
		}
		for _, w := range st.Windows {
			r.Windows = append(r.Windows, fmt.Sprint(w.Stream, " ", w.Flow() > 0, " ", w.Quality, " ", w.Reason))
		}
		if len(st.Windows) > 0 {
			counter.SetWindowEnd(start + 3*time.Second*time.Duration(1+len(r.Windows)/3))
		}
	}
	return r, <-done
}

// runButton presses a button for half a second, and then holds it. It returns the time
// from that second press to the answer of the driver, in seconds.
func runButton(s *simChip) (any, error) {
	if err := s.setContact(0, false); err != nil {
		return nil, err
	}
	r, err := button.Open(chipLabel, lineNames[0])
	if err != nil {
		return nil, err
	}
	defer r.Close()
	pressed := make(chan time.Duration, 1)
	go func() {
		var at time.Duration
		for _, closed := range []bool{true, false, true} {
			time.Sleep(500 * time.Millisecond)
			at = s.now()
			if s.setContact(0, closed) != nil {
				return // the wait below runs into its limit
			}
		}
		pressed <- at
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := button.WaitHeld(ctx, r, button.Hold); err != nil {
		return nil, err
	}
	held := s.now() - <-pressed
	return map[string]any{"held": held.Seconds()}, s.setContact(0, false)
}
