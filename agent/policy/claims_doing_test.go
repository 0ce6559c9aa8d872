package policy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"kerb/agent/busyness"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/counting"
	"kerb/counting/loop"
)

// tape plays edges, and ends.
type tape struct {
	edges []loop.Edge
	end   time.Duration
}

func (s *tape) ReadEdges(_ context.Context, dst []loop.Edge) (int, time.Duration, error) {
	n := copy(dst, s.edges)
	s.edges = s.edges[n:]
	if len(s.edges) == 0 {
		return n, s.end, io.EOF
	}
	return n, s.edges[0].At, nil
}

// playLoops counts edges over a pair of loops 4 m apart, and returns the window, and the
// faults that are told.
func playLoops(edges []loop.Edge, end time.Duration) (w loop.Window, faults []loop.Event) {
	slices.SortStableFunc(edges, func(a, b loop.Edge) int { return int(a.At - b.At) })
	limits := loop.DefaultLimits()
	limits.Daily = false
	c, err := loop.New(&tape{edges, end}, loop.Opts{
		Lines: []loop.Line{{Name: "a"}, {Name: "b"}}, Limits: limits,
		Lanes: []loop.Lane{{Stream: "s", Loops: []int{0, 1}, Spacing: 4, LoopLength: 2}},
	})
	for err == nil {
		var s loop.BatchResult
		s, err = c.CountBatch(context.Background())
		faults = append(faults, s.Events...)
	}
	if !errors.Is(err, io.EOF) {
		panic(err)
	}
	return c.CloseWindows()[0], faults
}

// vehicle is one that reaches the first loop at a time.
type vehicle struct {
	at            time.Duration
	speed, length float64 // m/s, m
}

// edges are those of vehicles over the pair.
func edges(vs []vehicle) (out []loop.Edge) {
	for _, v := range vs {
		for line, after := range []float64{0, 4 / v.speed} {
			on := v.at + time.Duration(after*float64(time.Second))
			out = append(out, loop.Edge{Line: line, On: true, At: on}, loop.Edge{Line: line, At: on + time.Duration((v.length+2)/v.speed*float64(time.Second))})
		}
	}
	return out
}

// changes are the largest numbers by which one vehicle more changes the figures of each
// quantity, over many random streets, and the most that it adds to their sums.
var changes = func() map[string]int {
	most, random := map[string]int{}, rand.New(rand.NewPCG(22, 3))
	raise := func(name string, a, b []uint32) {
		sum := 0
		for i := range a {
			sum += max(int(a[i])-int(b[i]), int(b[i])-int(a[i]))
		}
		most[name] = max(most[name], sum)
	}
	for range 200 {
		var vs []vehicle
		at := 10 * time.Second
		for range 4 {
			v := vehicle{at, 3 + 20*random.Float64(), 3 + 12*random.Float64()}
			if random.IntN(3) == 0 {
				v.speed = 0.4 // it covers a loop for many seconds
			}
			vs = append(vs, v)
			at += time.Duration((v.length+8)/v.speed*float64(time.Second)) + time.Duration(500+random.IntN(20_000))*time.Millisecond
		}
		i := random.IntN(len(vs))
		with, _ := playLoops(edges(vs), at+time.Minute)
		without, _ := playLoops(edges(slices.Delete(slices.Clone(vs), i, i+1)), at+time.Minute)
		a, b := with.ToTally().Traffic, without.ToTally().Traffic
		raise("speeds", a.Speeds[:], b.Speeds[:])
		raise("lengths", a.Lengths[:], b.Lengths[:])
		raise("headways", a.Headways[:], b.Headways[:])
		raise("gaps", a.Gaps[:], b.Gaps[:])
		raise("congested", []uint32{a.Congested}, []uint32{b.Congested})
		most["occupancy"] = max(most["occupancy"], int((a.Covered-b.Covered+time.Millisecond/2)/time.Second))
	}
	var fast counting.Traffic
	fast.AddSpeed(400)
	most["speed"] = int(fast.SpeedSum) / counting.SpeedUnitsKMH
	return most
}

// toldParked reports whether a vehicle that stands on a loop for a time is told by a
// fault or by the quality of the window.
func toldParked(d time.Duration) bool {
	on := 10 * time.Minute
	w, faults := playLoops([]loop.Edge{{Line: 0, On: true, At: on}, {Line: 0, At: on + d}, {Line: 1, On: true, At: on + d - time.Second}, {Line: 1, At: on + d + time.Second}}, on+d+time.Hour)
	return w.Quality != counting.OK || slices.ContainsFunc(faults, func(e loop.Event) bool { return e.Fault != loop.Silent })
}

// gives reports whether a stream that the policy allows gives the quantity.
func (w *world) gives(q counting.Quantity) bool {
	for k := counting.LineStream; k <= counting.LoopStream; k++ {
		if w.p.AllowsKind(k) && w.p.AllowedQuantities(counting.QuantitiesOf(k)).Has(q) {
			return true
		}
	}
	return false
}

func init() {
	var found map[string]int
	for name, param := range map[string]string{
		"occupancy": "seconds", "speed": "kmh", "speeds": "changes", "lengths": "changes", "headways": "changes", "gaps": "changes", "congested": "changes",
	} {
		judge(name, func(w *world, v values) bool {
			if found == nil {
				found = changes()
			}
			q, err := counting.ParseQuantity(name)
			return err == nil && w.gives(q) && found[name] == v[param]
		})
	}
	judge("standing", func(w *world, v values) bool {
		for _, q := range w.p.DescribeQuantities(counting.Stream{Kind: counting.ZoneStream, Measures: counting.QuantitiesOf(counting.ZoneStream)}) {
			if q.Name == counting.Standing.String() && w.gives(counting.Standing) {
				return int(math.Round(q.Noise.Scale*q.Epsilon)) == v["most"]
			}
		}
		return false
	})
}

// resent: a record that is asked for again, after a restart too, is the same to the byte.
var resent = map[policy.Method]*fact{}

func sentAgain(w *world, _ values) bool {
	f := resent[w.p.Method()]
	if f == nil {
		f = &fact{find: func(w *world) bool {
			path := filepath.Join(w.t.TempDir(), "spool")
			var sent []string
			r := w.clear(w.tally(w.counted(), 9, 9))
			for i := range 3 {
				s, err := store.Open(path, store.WallClock(func() time.Time { return w.start.Add(w.p.Window()) }))
				if err != nil {
					w.t.Fatal(err)
				}
				if i == 0 {
					if _, err := s.Append([]policy.Release{r}); err != nil {
						w.t.Fatal(err)
					}
				}
				es, err := s.PendingWindows(9)
				if err != nil || len(es) != 1 || s.Close() != nil {
					w.t.Fatal(es, err)
				}
				if w.broken {
					es[0].Seq += uint64(i)
				}
				sent = append(sent, string(uplink.EncodeWindow(uplink.Address{}, es[0])))
			}
			return sent[0] == sent[1] && sent[1] == sent[2]
		}}
		resent[w.p.Method()] = f
	}
	return f.once(w)
}

// retained are the retentions that were found to hold.
var retained = map[time.Duration]*fact{}

// retains reports whether a window stays for so long after its end, undelivered, and is
// gone one window later.
func retains(w *world, keep time.Duration) bool {
	key := keep*1000 + w.p.Retention()
	if retained[key] == nil {
		retained[key] = &fact{find: func(w *world) bool {
			end := w.start.Add(w.p.Window())
			now := end
			path := filepath.Join(w.t.TempDir(), "spool")
			open := func() *store.Store {
				s, err := store.Open(path, store.KeepFor(w.p.Retention()), store.WallClock(func() time.Time { return now }))
				if err != nil {
					w.t.Fatal(err)
				}
				return s
			}
			s := open()
			if _, err := s.Append([]policy.Release{w.clear(w.tally(w.counted(), 9, 9))}); err != nil {
				w.t.Fatal(err)
			}
			has := func(at time.Time) bool {
				now = at
				if err := s.Close(); err != nil {
					w.t.Fatal(err)
				}
				s = open()
				es, err := s.PendingWindows(9)
				if err != nil {
					w.t.Fatal(err)
				}
				return len(es) > 0
			}
			holds := has(end.Add(keep-time.Second)) && !has(end.Add(keep+time.Minute))
			return s.Close() == nil && holds
		}}
	}
	return retained[key].once(w)
}

// timeOff: without a believed clock, a window lives on by the time that the device ran.
var timeOff = fact{find: func(w *world) bool {
	uptime := time.Hour
	path := filepath.Join(w.t.TempDir(), "spool")
	open := func() *store.Store {
		s, err := store.Open(path, store.KeepFor(time.Hour), store.WallClock(func() time.Time { return time.Time{} }),
			store.UptimeClock(func() time.Duration { return uptime }), store.StampWith(func() (string, bool) { return fmt.Sprint(uptime < 30*time.Minute), false }))
		if err != nil {
			w.t.Fatal(err)
		}
		return s
	}
	s := open()
	if _, err := s.Append([]policy.Release{w.clear(w.tally(w.counted(), 9, 9))}); err != nil || s.Close() != nil {
		w.t.Fatal(err)
	}
	pending := func() int {
		s := open()
		es, err := s.PendingWindows(9)
		if err != nil || s.Close() != nil {
			w.t.Fatal(err)
		}
		return len(es)
	}
	uptime = time.Minute // a new boot, any time later
	if w.broken {
		uptime = 4 * time.Hour // as if it had been on
	}
	soon := pending()
	uptime = 2 * time.Hour
	return soon == 1 && pending() == 0
}}

// isAlert reports whether the zone is told to be busy when its band was at the one named
// for so long, and no longer busy when it was below for as long.
func isAlert(w *world, v values) bool {
	raise, clear := v["raise"].(int), v["clear"].(int)
	class, last := v["class"].(counting.Class), v["for"].(time.Duration)
	if raise <= clear || !slices.Contains(v["bands"].([]int), raise) || !slices.Contains(v["bands"].([]int), clear) || !w.p.AllowsClass(class) {
		return false
	}
	judge, facts, events, seq := busyness.New(w.p.Alerts()), store.Facts{}, 0, uint64(0)
	feed := func(n int) bool {
		seq++
		t := w.tally(counting.ZoneStream, 0, 0)
		t.Stream, t.Counted = v["stream"].(string), [counting.Classes]bool{}
		t.Counted[class], t.Presence[class] = true, time.Duration(n)*w.p.Window()
		before := events
		events += len(judge.Derive(facts, []store.Entry{{Epoch: "e", Seq: seq, Synced: true, Release: w.clear(t)}}))
		return events > before
	}
	windows := int(last / w.p.Window())
	if windows < 1 {
		return false
	}
	for _, step := range []struct{ under, at int }{{raise - 1, raise}, {clear, clear - 1}} {
		for range windows + 1 {
			if feed(step.under) { // not enough for this change
				return false
			}
		}
		for i := range windows {
			if feed(step.at) != (i == windows-1) {
				return false
			}
		}
	}
	for i, b := range v["bands"].([]int) {
		if c := w.cells(counting.ZoneStream, b, b)[0]; c.Min != int64(b) || i+1 < len(v["bands"].([]int)) && c.Below != int64(v["bands"].([]int)[i+1]) {
			return false
		}
	}
	return true
}
