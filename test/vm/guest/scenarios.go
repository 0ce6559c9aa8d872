package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"kerb/counting"
	count "kerb/counting/loop"
	"kerb/drivers/loop"
)

// The street: a pair of loops on the first two lines, two single loops on the
// others. Faster and shorter vehicles than any street has, so that 50 of them
// fit into a second.
const (
	spacing    = 2.5 // m
	loopLength = 1.0 // m
)

func street() count.Opts {
	o := count.Opts{
		Lanes: []count.Lane{
			{Stream: "pair", Loops: []int{0, 1}, Spacing: spacing, LoopLength: loopLength},
			{Stream: "left", Loops: []int{2}},
			{Stream: "right", Loops: []int{3}},
		},
		Limits: count.Default(),
	}
	for _, n := range lineNames {
		o.Lines = append(o.Lines, count.Line{Name: n})
	}
	o.Limits.MinOn = 10 * time.Millisecond
	o.Limits.Chatter = 0 // more onsets than any street has
	return o
}

func lines() (ls []loop.Line) {
	for _, n := range lineNames {
		ls = append(ls, loop.Line{Chip: chipLabel, Name: n})
	}
	return ls
}

// open has every edge timed by the kernel.
func open() (loop.Reader, error) {
	r, err := loop.OpenLines(lines(), 0)
	if err == nil && r.Coarse() {
		err = errors.New("the kernel refused the line request")
	}
	return r, err
}

// debounced leaves bounce to the kernel.
func debounced() (loop.Reader, error) { return loop.OpenLines(lines(), 5*time.Millisecond) }

// coarse is what is left where the kernel refuses the line request.
func coarse() (loop.Reader, error) {
	all, err := loop.Lines()
	if err != nil {
		return nil, err
	}
	found, err := loop.Find(all, lines())
	if err != nil {
		return nil, err
	}
	var pins []gpio.PinIn
	for _, f := range found {
		pins = append(pins, f.Pin())
	}
	return loop.OpenPins(pins, lines())
}

// move is one flip of a contact.
type move struct {
	at     time.Duration // since the scenario's start
	line   int
	closed bool
	first  bool // not a bounce
	n      int  // vehicle of the lane
}

// bounced puts a change with up to four bounces of up to 600 µs into m.
func bounced(rng *rand.Rand, m []move, c move) []move {
	c.first = true
	m = append(m, c)
	c.first = false
	at := c.at
	for range rng.IntN(3) {
		at += time.Duration(200+rng.IntN(400)) * time.Microsecond
		m = append(m, move{at, c.line, !c.closed, false, c.n})
		at += time.Duration(200+rng.IntN(400)) * time.Microsecond
		m = append(m, move{at, c.line, c.closed, false, c.n})
	}
	return m
}

// vehicle is a passage over the pair as it was driven.
type vehicle struct {
	on, off [2]time.Duration // when the contacts were moved
	length  float64
	unsure  bool
}

// traffic makes n passages, 50 a second: 4 over the pair, 23 over each single
// loop.
func traffic(n int) (moves []move, pair []vehicle, left, right int) {
	rng := rand.New(rand.NewPCG(6, uint64(n)))
	for i := range n * 4 / 50 {
		v := 30 + 10*rng.Float64()      // m/s: none is caught up by the next
		length := 1.5 + 2*rng.Float64() // m
		pair = append(pair, vehicle{length: length})
		for slot := range 2 {
			on := seconds(0.1+0.25*float64(i)) + seconds(float64(slot)*spacing/v)
			moves = bounced(rng, moves, move{at: on, line: slot, closed: true, n: i})
			moves = bounced(rng, moves, move{at: on + seconds((length+loopLength)/v), line: slot, n: i})
		}
	}
	for _, line := range []int{2, 3} {
		k := (n - len(pair) + line - 2) / 2
		for i := range k {
			on := seconds(0.1 + float64(i)/23 + 0.003*rng.Float64())
			moves = bounced(rng, moves, move{at: on, line: line, closed: true, n: i})
			moves = bounced(rng, moves, move{at: on + 21*time.Millisecond, line: line, n: i})
		}
		left, right = right, k
	}
	slices.SortStableFunc(moves, func(a, b move) int { return int(a.at - b.at) })
	return moves, pair, left, right
}

func seconds(s float64) time.Duration { return time.Duration(s * 1e9) }

// result is what a scenario measured.
type result struct {
	Driven     map[string]int
	Counted    map[string]int
	Directions map[string]int
	Missed     uint32
	Bounce     uint32
	Short      uint32
	Unsure     int       // vehicles over the pair whose own times are not known to 0.3 ms
	SpeedError quantiles // of 1: measured / driven - 1
	Length     quantiles
	Latency    quantiles // ms from moving the contact to the kernel's time
	Late       quantiles // ms by which the contact was moved too late: how far the guest keeps up
	PeakRSS    float64   // MiB of this process so far, its scenario of moves included
	Events     []string
	Quality    map[string]string
	Windows    []string `json:",omitempty"`
}

type quantiles struct{ P50, P99, Max float64 }

func quantile(v []float64) (q quantiles) {
	if len(v) == 0 {
		return q
	}
	slices.Sort(v)
	return quantiles{v[len(v)/2], v[len(v)*99/100], v[len(v)-1]}
}

// drive moves the contacts and counts. With stall the reader does nothing for
// that long, in the middle.
func drive(s *chip, n int, opener func() (loop.Reader, error), stall time.Duration) (any, error) {
	port, err := opener()
	if err != nil {
		return nil, err
	}
	defer port.Close()
	counter, err := count.New(port, street())
	if err != nil {
		return nil, err
	}
	moves, pair, left, right := traffic(n)
	r := result{
		Driven:  map[string]int{"pair": len(pair), "left": left, "right": right},
		Counted: map[string]int{}, Directions: map[string]int{}, Quality: map[string]string{},
	}
	done := make(chan error, 1)
	var late []float64
	start := s.now() + 100*time.Millisecond
	go func() { done <- s.play(moves, start, pair, &late) }()
	var seen []counting.Crossing
	end := never
	stallAt := start + moves[len(moves)/2].at
	for {
		st, err := counter.Step(context.Background())
		if err != nil {
			return nil, err
		}
		seen = append(seen, st.Passages...)
		for _, e := range st.Events {
			r.Events = append(r.Events, fmt.Sprint(e.Line, " ", e.Fault, " ", e.On))
		}
		if stall > 0 && st.At > stallAt {
			time.Sleep(stall)
			stall = 0
		}
		select {
		case err := <-done:
			if err != nil {
				return nil, err
			}
			end = s.now() + 500*time.Millisecond
		default:
		}
		if st.At > end {
			break
		}
	}
	for _, w := range counter.Cut() {
		r.Missed, r.Bounce, r.Short = r.Missed+w.Missed, r.Bounce+w.Bounce, r.Short+w.Short
		r.Quality[w.Stream] = w.Quality.String()
	}
	r.Late, r.PeakRSS = quantile(late), peakRSS()
	r.compare(seen, pair)
	return r, nil
}

func peakRSS() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Maxrss) / 1024
}

const never = time.Duration(math.MaxInt64)

// play moves the contacts on time, or as soon as it can: a late move makes the
// following ones of its line late too, as far as no presence gets shorter and
// no gap shorter than 12 ms.
func (s *chip) play(moves []move, start time.Duration, pair []vehicle, late *[]float64) error {
	runtime.LockOSThread() // sleep in the kernel, not in Go's timers
	defer runtime.UnlockOSThread()
	var last, lastAt [len(lineNames)]time.Duration
	for _, m := range moves {
		apart := m.at - lastAt[m.line]
		if m.first && m.closed {
			apart = min(apart, 12*time.Millisecond)
		}
		if due := max(start+m.at, last[m.line]+apart); due > s.now() {
			ts := unix.NsecToTimespec(int64(due))
			if err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil); err != nil {
				return err
			}
		}
		now := s.now()
		last[m.line], lastAt[m.line] = now, m.at
		if err := s.contact(m.line, m.closed); err != nil {
			return err
		}
		if !m.first {
			continue
		}
		*late = append(*late, (now-start-m.at).Seconds()*1e3)
		if m.line < 2 {
			// Something came between the clock and the contact: when it moved
			// is not known well enough to judge a speed by.
			pair[m.n].unsure = pair[m.n].unsure || s.now()-now > 300*time.Microsecond
		}
		if m.line < 2 && m.closed {
			pair[m.n].on[m.line] = now
		} else if m.line < 2 {
			pair[m.n].off[m.line] = now
		}
	}
	return nil
}

// compare puts the passages over the pair beside what was driven: by the times
// at which the contacts were really moved.
func (r *result) compare(seen []counting.Crossing, pair []vehicle) {
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
	r.SpeedError, r.Length, r.Latency = quantile(speed), quantile(length), quantile(latency)
}

// overrun stalls the reader until the kernel's buffer of a line has overflowed,
// and asks whether the driver says exactly how many edges were lost.
func overrun(s *chip) (any, error) {
	port, err := open()
	if err != nil {
		return nil, err
	}
	defer port.Close()
	const flips = 1500
	for i := range flips {
		if err := s.contact(0, i%2 == 0); err != nil {
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

// unplugged drives vehicles over the pair and the left loop, of which the
// pair's second line and the left line are cut off after 4 s.
func unplugged(s *chip) (any, error) {
	port, err := open()
	if err != nil {
		return nil, err
	}
	defer port.Close()
	o := street()
	o.Limits.Silent = [24]time.Duration{4 * time.Second}
	o.Limits.Daily = false
	counter, err := count.New(port, o)
	if err != nil {
		return nil, err
	}
	moves, _, _, _ := traffic(600)
	var cut []move
	for _, m := range moves {
		if m.at < 4*time.Second || m.line == 0 || m.line == 3 {
			cut = append(cut, m)
		}
	}
	done := make(chan error, 1)
	start := s.now() + 100*time.Millisecond
	var late []float64
	pair := make([]vehicle, len(moves))
	go func() { done <- s.play(cut, start, pair, &late) }()
	var r result
	counter.CutAt(start + 3*time.Second)
	for len(r.Windows) < 4*3 {
		st, err := counter.Step(context.Background())
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
			counter.CutAt(start + 3*time.Second*time.Duration(1+len(r.Windows)/3))
		}
	}
	return r, <-done
}
