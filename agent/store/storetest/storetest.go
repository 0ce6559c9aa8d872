// Package storetest makes cleared windows for tests of the spool and the
// uplink. Its windows are deterministic but for the noise of the policy of kerb
// demo.
package storetest

import (
	"fmt"
	"time"

	"kerb/agent/policy"
	"kerb/counting"
)

// FirstStart is the start of window 0. A test sets store.WallClock near it: by the
// clock of the machine the retention of an acknowledged window may be over.
var FirstStart = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

// MakeWindow returns the i-th five-second window of a stream, cleared by the policy
// of kerb demo; every seventh is a gap. It panics if the policy refuses it.
func MakeWindow(stream string, i int) policy.Release { return clearWindow(policy.Demo(), stream, i) }

// MakeSeries returns the windows from…to-1 of a stream.
func MakeSeries(stream string, from, to int) []policy.Release {
	p := policy.Demo()
	out := make([]policy.Release, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, clearWindow(p, stream, i))
	}
	return out
}

// clearWindow clears the i-th window of a stream with p.
func clearWindow(p *policy.Policy, stream string, i int) policy.Release {
	t := counting.Tally{
		Stream: stream, Kind: counting.LineStream,
		Start: FirstStart.Add(time.Duration(i) * p.Window()), Mono: time.Hour + time.Duration(i+1)*p.Window(),
		Observed: p.Window(),
	}
	t.End = t.Start.Add(p.Window())
	for c := counting.Person; c <= counting.Vehicle; c++ {
		t.Counted[c] = true
		t.Crossings[c][counting.AToB] = uint32(i % 50)
	}
	if i%7 == 6 {
		t.Quality, t.Reason, t.Observed = counting.Gap, counting.ReasonCameraLost, 0
	}
	r, err := p.Clear(t)
	if err != nil {
		panic(fmt.Sprintf("storetest: %v", err))
	}
	return r
}

// StreamNames returns n names of streams.
func StreamNames(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("stream-%d", i)
	}
	return out
}

// MakeWindows returns the i-th window of each stream.
func MakeWindows(streams []string, i int) []policy.Release {
	p := policy.Demo()
	out := make([]policy.Release, len(streams))
	for j, s := range streams {
		out[j] = clearWindow(p, s, i)
	}
	return out
}
