package policy

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kerb/counting"
)

// anyTally is a Tally that p allows.
func anyTally(t *rapid.T, p *Policy) counting.Tally {
	var kinds []counting.Kind
	for k := counting.LineStream; k <= counting.LoopStream; k++ {
		if p.AllowsKind(k) {
			kinds = append(kinds, k)
		}
	}
	w := window(p, rapid.SampledFrom(kinds).Draw(t, "kind"))
	if w.Kind == counting.LoopStream {
		w.OneWay = counting.OneWay(rapid.IntRange(0, int(counting.OnlyBToA)).Draw(t, "one way"))
	}
	w.Stream = rapid.StringMatching(`[a-z0-9_-]{1,64}`).Draw(t, "stream")
	w.Start = w.Start.Add(time.Duration(rapid.IntRange(-20000, 20000).Draw(t, "window")) * p.Window()).Truncate(p.Window())
	w.End = w.Start.Add(p.Window())
	w.Mono = time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "mono"))
	w.Quality = counting.Quality(rapid.IntRange(0, 2).Draw(t, "quality"))
	w.Reason = rapid.SampledFrom([]counting.Reason{counting.ReasonCameraLost, counting.ReasonStarting, counting.ReasonUnknown}).Draw(t, "reason")
	w.Observed = time.Duration(rapid.Int64Range(1, int64(p.Window())).Draw(t, "observed"))
	if w.Kind == counting.ZoneStream && rapid.Bool().Draw(t, "still") {
		w.Polled, w.Instants = true, uint32(rapid.IntRange(1, int(p.Window()/time.Second)).Draw(t, "instants"))
	}
	if p.AllowsClass(counting.Car) && rapid.Bool().Draw(t, "split") {
		w.Counted[counting.Vehicle], w.Counted[counting.Car] = false, true
	}
	for c := range w.Counted {
		if p.AllowsClass(counting.Class(c)) && rapid.Bool().Draw(t, "leave out") {
			w.Counted[c] = false
		}
		for d := range w.Crossings[c] {
			w.Crossings[c][d] = count32().Draw(t, "n")
		}
		w.Presence[c] = time.Duration(rapid.Int64Range(0, 40).Draw(t, "present")) * p.Window()
		w.Peak[c] = count32().Draw(t, "peak")
	}
	if w.Counted == [counting.Classes]bool{} {
		w.Counted[p.terms.Count.Classes[0]] = true
	}
	return w
}

func count32() *rapid.Generator[uint32] {
	return rapid.OneOf(rapid.Uint32Range(0, 30), rapid.Uint32Range(0, 600), rapid.Uint32())
}

func TestEveryReleaseComesBackAsItWas(t *testing.T) {
	all := shipped(t)
	all["demo"] = Demo()
	for name, p := range all {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := anyTally(t, p)
				r, err := p.Clear(w)
				if err != nil {
					t.Fatal(err)
				}
				b, err := r.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				q, err := RestoreRelease(b)
				if err != nil {
					t.Fatalf("%v\n%+v", err, r)
				}
				c, _ := q.MarshalBinary()
				if q != r || !bytes.Equal(b, c) {
					t.Fatalf("got  %+v\nwant %+v", q, r)
				}
				if q.Stream() != w.Stream || q.Kind() != w.Kind || q.Policy() != p.Hash() || q.Epsilon() != p.Epsilon() ||
					!q.StartTime().Equal(w.Start) || !q.EndTime().Equal(w.End) || q.Mono() != w.Mono.Truncate(time.Millisecond) {
					t.Fatalf("got %+v of %+v", q, w)
				}
			})
		})
	}
}

func TestTheZeroReleaseIsRefused(t *testing.T) {
	if _, err := (Release{}).MarshalBinary(); err == nil || !(Release{}).IsZero() {
		t.Error("the zero Release was marshalled")
	}
}

func TestTheStoredSizeSaysNothingOfTheCounts(t *testing.T) {
	for name, p := range shipped(t) {
		for k := counting.LineStream; k <= counting.LoopStream; k++ {
			if !p.AllowsKind(k) {
				continue
			}
			sizes := map[int]bool{}
			for _, n := range []uint32{0, 1, 5, 500, 1<<32 - 1} {
				w := window(p, k)
				for c := range w.Crossings {
					w.Crossings[c] = [2]uint32{n, 0}
					w.Presence[c], w.Peak[c] = time.Duration(n)*time.Second, n
				}
				b, err := release(t, p, w).MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				sizes[len(b)] = true
			}
			if len(sizes) != 1 {
				t.Errorf("%s, %s: sizes %v", name, k, sizes)
			}
		}
	}
}

// bytesOf are the stored bytes of a full window in which every count is n.
func bytesOf(t testing.TB, p *Policy, k counting.Kind, n uint32) []byte {
	t.Helper()
	w := window(p, k)
	for c := range w.Crossings {
		w.Crossings[c] = [2]uint32{n, n}
		w.Presence[c], w.Peak[c] = time.Duration(n)*w.Observed, n
	}
	b, err := release(t, p, w).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Where things are in the stored form of a window of "north-kerb".
const (
	atKind     = len(releaseMagic) + 32
	atTimes    = atKind + 4
	atRule     = atTimes + 4*8
	atStream   = atRule + 2*(3+maxBands-1)
	atReason   = atStream + 1 + len("north-kerb")
	atCells    = atReason + 2
	cellDir    = 1
	cellRanged = 2
	cellA      = 3
	cellB      = 11
)

func TestWhatClearCouldNotHaveMadeIsNotRestored(t *testing.T) {
	put := func(at int, v uint64) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint64(b[at:], v); return b }
	}
	put16 := func(at int, v uint16) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint16(b[at:], v); return b }
	}
	set := func(at int, v byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = v; return b }
	}
	cell := func(i int) int { return atCells + i*cellSize }
	n, s, z, totals := parse(t, noisy), parse(t, strings.Replace(suppressed, "totals = true", "totals = false", 1)), parse(t, banded), parse(t, suppressed)
	line, zone := counting.LineStream, counting.ZoneStream
	negative := uint64(1<<64 - 20)
	for _, c := range []struct {
		name   string
		p      *Policy
		kind   counting.Kind
		change func([]byte) []byte
	}{
		{"another version", n, line, set(3, 9)},
		{"cut short", n, line, func(b []byte) []byte { return b[:len(b)-1] }},
		{"something after it", n, line, func(b []byte) []byte { return append(b, 0) }},
		{"nothing", n, line, func(b []byte) []byte { return nil }},
		{"unknown kind", n, line, set(atKind, 9)},
		{"unknown quality", n, line, set(atKind+1, 3)},
		{"unknown method", n, line, set(atKind+2, 3)},
		{"a flag of 2", n, line, set(atKind+3, 2)},
		{"totals with noise", n, line, set(atKind+3, 1)},
		{"before 1970", n, line, put(atTimes, negative)},
		{"a window of no length", n, line, put(atTimes+8, uint64(noon.UnixMilli()))},
		{"a window that is no part of a day", n, line, put(atTimes+8, uint64(noon.Add(7*time.Minute).UnixMilli()))},
		{"a window between the windows", n, line, func(b []byte) []byte {
			put(atTimes, uint64(noon.Add(time.Minute).UnixMilli()))(b)
			return put(atTimes+8, uint64(noon.Add(16*time.Minute).UnixMilli()))(b)
		}},
		{"before boot", n, line, put(atTimes+16, negative)},
		{"seen for longer than it was", n, line, put(atTimes+24, 901)},
		{"no epsilon with noise", n, line, put16(atRule, 0)},
		{"an epsilon beyond the floor", n, line, put16(atRule, 2001)},
		{"an epsilon without noise", s, line, put16(atRule, 1000)},
		{"a threshold below the floor", s, line, put16(atRule+2, 4)},
		{"a threshold with bands", z, zone, put16(atRule+2, 5)},
		{"rounding to nothing", s, line, put16(atRule+4, 0)},
		{"rounding with noise", n, line, put16(atRule+4, 10)},
		{"bands with noise", n, line, put16(atRule+6, 5)},
		{"bands of a line", z, zone, set(atKind, byte(line))},
		{"narrow bands", z, zone, put16(atRule+8, 6)},
		{"a band after the last", z, zone, put16(atRule+14, 40)},
		{"no bands", z, zone, put16(atRule+6, 0)},
		{"an upper-case stream", n, line, set(atStream+1, 'N')},
		{"no stream", n, line, set(atStream, 0)},
		{"a reason though all is well", n, line, func(b []byte) []byte {
			return append(append(append([]byte{}, b[:atReason]...), 1, 'x'), b[atReason+1:]...)
		}},
		{"more cells than there are", n, line, set(atReason+1, 5)},
		{"more cells than there can be", n, line, set(atReason+1, maxCells+1)},
		{"a gap with cells", n, line, func(b []byte) []byte {
			put(atTimes+24, 0)(b)
			b[atKind+1] = byte(counting.Gap)
			return append(append(append([]byte{}, b[:atReason]...), 1, 'x'), b[atReason+1:]...)
		}},
		{"no cells and no gap", n, line, func(b []byte) []byte { b[atReason+1] = 0; return b[:atCells] }},
		{"an unknown class", n, line, func(b []byte) []byte { b[cell(4)], b[cell(5)] = 9, 9; return b }},
		{"a class twice", n, line, func(b []byte) []byte { b[cell(2)], b[cell(3)] = 0, 0; return b }},
		{"classes mixed up", n, line, set(cell(1), 2)},
		{"directions mixed up", n, line, set(cell(0)+cellDir, 1)},
		{"vehicle and car", n, line, func(b []byte) []byte {
			for i := range 2 {
				b[cell(2+i)], b[cell(4+i)] = byte(counting.Vehicle), byte(counting.Car)
			}
			return b
		}},
		{"a number below the threshold, with noise", n, line, put(cell(0)+cellA, 4)},
		{"a huge number, with noise", n, line, put(cell(0)+cellA, maxCount+1)},
		{"a count with a peak", n, line, put(cell(0)+cellB, 1)},
		{"a range that noise does not give", n, line, set(cell(0)+cellRanged, 1)},
		{"a number that is not rounded", s, line, put(cell(0)+cellA, 41)},
		{"a small number that is not withheld", s, line, put(cell(0)+cellA, 0)},
		{"a negative number", s, line, put(cell(0)+cellA, negative)},
		{"a total that does not fit", totals, line, put(cell(2)+cellA, 800)},
		{"a direction alone beside a total", totals, line, func(b []byte) []byte {
			b[cell(0)+cellRanged] = 1
			put(cell(0)+cellA, 0)(b)
			return put(cell(0)+cellB, 10)(b)
		}},
		{"directions withheld beside a total that says otherwise", totals, line, func(b []byte) []byte {
			for i := range 2 {
				b[cell(i)+cellRanged] = 1
				put(cell(i)+cellA, 0)(b)
				put(cell(i)+cellB, 9999)(b)
			}
			return b
		}},
		{"directions withheld, of which one says more", totals, line, func(b []byte) []byte {
			for i := range 2 {
				b[cell(i)+cellRanged] = 1
				put(cell(i)+cellA, 0)(b)
				put(cell(i)+cellB, uint64(1006-i))(b)
			}
			return b
		}},
		{"a gap of which something was seen", n, line, func(b []byte) []byte {
			b[atKind+1] = byte(counting.Gap)
			return append(append([]byte{}, b[:atReason]...), 1, 'x', 0)
		}},
		{"a direction missing", n, line, func(b []byte) []byte { b[atReason+1] = 5; return b[:cell(5)] }},
		{"a withheld total beside shown directions", totals, line, func(b []byte) []byte {
			b[cell(2)+cellRanged] = 1
			put(cell(2)+cellA, 0)(b)
			return put(cell(2)+cellB, 10)(b)
		}},
		{"a band that is none", z, zone, put(cell(0)+cellA, 6)},
		{"a number instead of a band", z, zone, set(cell(0)+cellRanged, 0)},
		{"a mean below the threshold", n, zone, put(cell(0)+cellA, 49)},
		{"a huge peak", n, zone, put(cell(0)+cellB, maxCount+1)},
		{"a peak that is not rounded", s, zone, put(cell(0)+cellB, 501)},
		{"a mean that is not rounded", s, zone, put(cell(0)+cellA, 5001)},
	} {
		b := bytesOf(t, c.p, c.kind, 500)
		if _, err := RestoreRelease(b); err != nil {
			t.Fatalf("%s: before the change: %v", c.name, err)
		}
		if r, err := RestoreRelease(c.change(b)); err == nil || !r.IsZero() {
			t.Errorf("%s: restored as %+v", c.name, r)
		}
	}
}

// FuzzRestore: each restored policy is stored again as the same bytes, and its
// accessors hold what they promise.
func FuzzRestore(f *testing.F) {
	for _, text := range []string{noisy, suppressed, banded} {
		p := parse(f, text)
		for k := counting.LineStream; k <= counting.LoopStream; k++ {
			if p.AllowsKind(k) {
				f.Add(bytesOf(f, p, k, 3))
				f.Add(bytesOf(f, p, k, 500))
			}
		}
		w := window(p, p.kinds()[0])
		w.Quality, w.Reason = counting.Gap, counting.ReasonCameraLost
		b, err := release(f, p, w).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := RestoreRelease(b)
		if err != nil {
			if !r.IsZero() {
				t.Fatal("an error, and a Release")
			}
			return
		}
		c, err := r.MarshalBinary()
		if err != nil || !bytes.Equal(b, c) {
			t.Fatalf("%v: % x came back as % x", err, b, c)
		}
		for _, c := range r.Cells() {
			if c.N > maxCount || c.N < minCount || c.Peak > maxCount || c.Below < 0 || c.Ranged && (c.N != 0 || c.Mean != 0) {
				t.Fatalf("%+v", c)
			}
			if r.Epsilon() == 0 && (c.N < 0 || c.Mean < 0 || c.Peak < 0) {
				t.Fatalf("below zero without noise: %+v", c)
			}
		}
		if r.EndTime().Sub(r.StartTime()) < r.Observed() || (r.Quality() == counting.Gap) != (len(r.Cells()) == 0) {
			t.Fatalf("%+v", r)
		}
	})
}

func (p *Policy) kinds() (ks []counting.Kind) {
	for _, k := range p.terms.Count.Streams {
		ks = append(ks, counting.Kind(k))
	}
	return ks
}
