package publisher

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/state"
	"kerb/agent/status"
	"kerb/agent/store"
	"kerb/counting"
)

// The size of a history. Chosen by hand: a quarter of an hour is a pixel of a
// telephone's screen, and so many numbers are 200 kB as drawings.
const (
	historyStep   = 15 * time.Minute
	historyPoints = 14_000 // slots × series
	historyPage   = 256    // windows that are read under one lock of the spool
)

// noise95 is half the width, in standard deviations, of an interval that holds 95 % of
// Laplace noise: ln 20/√2. The sum of several comes closer to a normal distribution, of
// which 1.96 hold 95 %. Widened to the next number that can be released, the interval
// holds 95 % of discrete noise, too (TestTheBandHoldsTheNoise).
const noise95 = 2.118

// A historian adds up the windows of the last 72 hours in slots.
type historian struct {
	start   time.Time
	step    time.Duration
	window  time.Duration // the longest that fits a slot
	streams map[string]*streamHistory
	series  int
}

// streamHistory adds up one stream.
type streamHistory struct {
	kind   string
	slots  []slotSum
	series map[seriesKey][]sum
}

// slotSum counts the windows of a slot.
type slotSum struct {
	seconds             int32 // of all windows
	whole, partial, gap uint16
}

// seriesKey names a series.
type seriesKey struct {
	class counting.Class
	dir   string
}

// sum is the sum of one cell over the windows of a slot.
type sum struct {
	n, least, most, variance float32
	windows, withheld        uint16
}

// ReadHistory returns the history of the 72 hours before now from the windows that db
// still holds. The slots are as long as the policy's windows, a quarter of an hour at
// least, and longer where there are many series. Windows that do not fit into a slot,
// of an earlier policy, are left out.
func ReadHistory(db *store.Store, pol *policy.Policy, now time.Time) (*status.History, error) {
	step := pol.Window()
	for step < historyStep {
		step += pol.Window()
	}
	h, err := readHistory(db, step, now)
	if err == nil {
		h.Zone, h.Keep = pol.TimeZone().String(), int64(pol.Retention()/time.Second)
	}
	return h, err
}

// readHistory is ReadHistory in slots of a given length at least.
func readHistory(db *store.Store, step time.Duration, now time.Time) (*status.History, error) {
	h := &historian{step: step, window: step, streams: map[string]*streamHistory{}}
	end := now.Truncate(step)
	if end.Before(now) {
		end = end.Add(step)
	}
	h.start = end.Add(-status.HistorySpan * time.Second)
	for place := uint64(math.MaxUint64); ; {
		page, first, err := db.PageBefore(place, historyPage)
		if err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		recent := false
		for _, i := range page {
			recent = h.addWindow(i.Release) || recent
		}
		if !recent { // of an empty page, too
			return h.pack(), nil
		}
		place = first
	}
}

// countSlots returns the number of slots.
func (h *historian) countSlots() int { return int(status.HistorySpan * time.Second / h.step) }

// addWindow adds a window, and reports whether it ended after the start.
func (h *historian) addWindow(r policy.Release) bool {
	at := int(r.StartTime().Sub(h.start) / h.step)
	length := r.EndTime().Sub(r.StartTime())
	if r.StartTime().Before(h.start) || at >= h.countSlots() || length > h.window {
		return r.EndTime().After(h.start)
	}
	s := h.streams[r.Stream()]
	if s == nil {
		s = &streamHistory{kind: r.Kind().String(), slots: make([]slotSum, h.countSlots()), series: map[seriesKey][]sum{}}
		h.streams[r.Stream()] = s
	}
	slot := &s.slots[at]
	slot.seconds += int32(length / time.Second)
	switch r.Quality().String() {
	case "gap":
		slot.gap++
	case "ok":
		slot.whole++
	default:
		slot.partial++
	}
	bounds := r.Bounds()
	for i, c := range r.Cells() {
		if c.Dir == policy.Both {
			continue // the sum of the other two
		}
		key := seriesKey{class: c.Class}
		if s.kind != "zone" {
			key.dir = c.Dir.String()
		}
		if s.series[key] == nil {
			s.series[key] = make([]sum, h.countSlots())
			h.series++
		}
		s.series[key][at].addCell(c, bounds[i])
	}
	for h.series*h.countSlots() > historyPoints && h.step < status.HistorySpan*time.Second/8 {
		h.coarsen()
	}
	return true
}

// addCell adds a cell of one window.
func (s *sum) addCell(c policy.Cell, b policy.Bounds) {
	s.windows++
	if c.Ranged {
		s.withheld++
	}
	s.n += float32(float64(c.N) + c.Mean)
	s.least += float32(b.Least)
	s.most += float32(b.Most)
	s.variance += float32(b.Deviation * b.Deviation)
}

// coarsen joins slots in pairs. The start moves back by a slot where that keeps the slots
// at multiples of their length.
func (h *historian) coarsen() {
	n := h.countSlots()
	h.step *= 2
	shift := 0
	if aligned := h.start.Truncate(h.step); aligned.Before(h.start) {
		h.start, shift = aligned, 1
	}
	fewer := h.countSlots()
	for _, s := range h.streams {
		slots := make([]slotSum, fewer)
		for i := range n {
			if to := (i + shift) / 2; to < fewer {
				slots[to].join(s.slots[i])
			}
		}
		s.slots = slots
		for key, sums := range s.series {
			joined := make([]sum, fewer)
			for i := range n {
				if to := (i + shift) / 2; to < fewer {
					joined[to].join(sums[i])
				}
			}
			s.series[key] = joined
		}
	}
}

// join adds another slot.
func (s *slotSum) join(o slotSum) {
	s.seconds += o.seconds
	s.whole, s.partial, s.gap = s.whole+o.whole, s.partial+o.partial, s.gap+o.gap
}

// join adds the sum of another slot.
func (s *sum) join(o sum) {
	s.n, s.least, s.most, s.variance = s.n+o.n, s.least+o.least, s.most+o.most, s.variance+o.variance
	s.windows, s.withheld = s.windows+o.windows, s.withheld+o.withheld
}

// pack returns the history.
func (h *historian) pack() *status.History {
	out := &status.History{Start: h.start.Unix(), Step: int64(h.step / time.Second), Streams: []status.Stream{}}
	for name, s := range h.streams {
		st := status.Stream{Name: name, Kind: s.kind, Series: []status.Series{}}
		var states strings.Builder
		for _, slot := range s.slots {
			states.WriteByte(slot.describe(int32(out.Step)))
		}
		st.Slots = states.String()
		for _, key := range slices.SortedFunc(maps.Keys(s.series), func(a, b seriesKey) int {
			return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.dir, b.dir))
		}) {
			line := status.Series{Class: key.class.String(), Dir: key.dir}
			for _, x := range s.series[key] {
				n, least, most := x.summarise(s.kind == "zone")
				line.N, line.Least, line.Most = append(line.N, n), append(line.Least, least), append(line.Most, most)
			}
			st.Series = append(st.Series, line)
		}
		out.Streams = append(out.Streams, st)
	}
	slices.SortFunc(out.Streams, func(a, b status.Stream) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// describe returns the state of a slot of so many seconds.
func (s slotSum) describe(step int32) byte {
	switch {
	case s.seconds == 0:
		return status.SlotEmpty
	case s.whole+s.partial == 0:
		return status.SlotGap
	case s.gap+s.partial > 0 || s.seconds < step:
		return status.SlotPart
	}
	return status.SlotWhole
}

// summarise returns the number of a slot and its bounds in tenths, as status.Series has
// them.
func (s sum) summarise(zone bool) (n, least, most int32) {
	if s.windows == 0 {
		return status.NoNumber, status.NoNumber, status.NoNumber
	}
	half, over := float32(math.Ceil(noise95*math.Sqrt(float64(s.variance)))), float32(1)
	if zone {
		over = float32(s.windows)
		half = float32(math.Ceil(10*noise95*math.Sqrt(float64(s.variance)))) / 10
	}
	n = toTenths(s.n / over)
	if s.withheld > 0 {
		n = status.NoNumber
	}
	return n, toTenths(max(s.least-half, 0) / over), toTenths(max(s.most+half, 0) / over)
}

// toTenths rounds v to tenths; +Inf is NoNumber.
func toTenths(v float32) int32 {
	const largest = 1 << 30
	if math.IsInf(float64(v), 1) {
		return status.NoNumber
	}
	return int32(min(max(math.Round(float64(v)*10), -largest), largest))
}

// ReadSpoolHistory returns the history in the spool of a device while no agent runs.
// The time zone and the retention, which are in the policy, are left out.
func ReadSpoolHistory(d config.Device, now time.Time) (h *status.History, err error) {
	err = state.ActAsOwner(d.State, func(dir string) error {
		db, err := store.OpenReadOnly(filepath.Join(dir, state.SpoolFile))
		if err != nil {
			return err
		}
		step := historyStep
		if last, err := db.LastWindows(1); err == nil && len(last) > 0 { // the policy is not known here
			step = max(step, last[0].Release.EndTime().Sub(last[0].Release.StartTime()))
		}
		if h, err = readHistory(db, step, now); err != nil {
			_ = db.Close()
			return err
		}
		return db.Close()
	})
	return h, err
}
