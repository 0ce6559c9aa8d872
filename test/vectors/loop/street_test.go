package loop

import (
	"context"
	"io"
	"math"
	"testing"
	"time"

	count "kerb/counting/loop"
	"kerb/drivers/loop/street"
)

// opts are the loops of one pair and one single lane.
func opts() count.Opts {
	return count.Opts{
		Lines: []count.Line{{Name: "L1A"}, {Name: "L1B"}, {Name: "L2A"}},
		Lanes: []count.Lane{
			{Stream: "pair", Loops: []int{0, 1}, Spacing: street.Spacing, LoopLength: street.LoopLength},
			{Stream: "one", Loops: []int{2}},
		},
		Limits: count.DefaultLimits(),
	}
}

func TestStreetIsCountedAsItWasDriven(t *testing.T) {
	s, err := street.New(street.Opts{Seed: 5, Lasts: 2 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c, err := count.New(s, opts())
	if err != nil {
		t.Fatal(err)
	}
	pairs, total, end := 0, 0, time.Duration(0)
	driven := map[time.Duration]street.Vehicle{}
	for {
		step, err := c.CountBatch(context.Background())
		for _, v := range s.DrivenUntil(math.MaxInt64) {
			if v.Lane == 0 {
				driven[v.At] = v
			}
		}
		for _, p := range step.Passages {
			total++
			if p.Stream != "pair" {
				continue
			}
			pairs++
			v, ok := driven[p.At]
			if !ok || math.Abs(p.Speed/v.Speed-1) > 1e-6 || math.Abs(p.Length/v.Length-1) > 1e-6 {
				t.Errorf("passage %+v of vehicle %+v", p, v)
			}
		}
		end = step.At
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range step.Events {
			t.Errorf("event %+v on a street without faults", e)
		}
	}
	if n := len(s.DrivenUntil(end)); n != total || n < 1500 || pairs < 700 {
		t.Errorf("%d driven, %d counted, %d of them over the pair", n, total, pairs)
	}
}

func TestCutLineIsAFault(t *testing.T) {
	s, err := street.New(street.Opts{Seed: 5, Lasts: 10 * time.Minute, Cut: map[int]time.Duration{1: 2 * time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := count.New(s, opts())
	if err != nil {
		t.Fatal(err)
	}
	for {
		step, err := c.CountBatch(context.Background())
		for _, e := range step.Events {
			if e.Line == "L1B" && e.Fault == count.Pair && e.On {
				return
			}
		}
		if err != nil {
			t.Fatalf("no event about the line that was cut: %v", err)
		}
	}
}
