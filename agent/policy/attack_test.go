package policy

import (
	"testing"

	"kerb/counting"
)

// The attacker knows the policy, the program, and everything that was released,
// resent or added up. The tests enumerate every world (a pair of true counts)
// with the same release. A number is hidden if, in each release that withholds
// it as small, every small number is still possible.

// worlds are all counts of one class, both ways, up to most each.
func worlds(most uint32, f func(a, b uint32)) {
	for a := range most + 1 {
		for b := range most + 1 {
			f(a, b)
		}
	}
}

// seen is what the attacker has of a window: its cells.
type seen [counting.Directions + 1]cell

// recovered counts the worlds whose small number the attacker narrows down,
// over all worlds up to limit. Worlds up to three times as far are thought of.
func recovered(clear func(a, b uint32) seen, below, limit uint32) int {
	type possible struct{ a, b [64]bool }
	all := map[seen]*possible{}
	worlds(3*limit, func(a, b uint32) {
		s := clear(a, b)
		if all[s] == nil {
			all[s] = &possible{}
		}
		if a < 64 && b < 64 {
			all[s].a[a], all[s].b[b] = true, true
		}
	})
	n := 0
	worlds(limit, func(a, b uint32) {
		p := all[clear(a, b)]
		for v := range below {
			if a < below && !p.a[v] || b < below && !p.b[v] {
				n++
				return
			}
		}
	})
	return n
}

func TestNoWithheldNumberCanBeRecovered(t *testing.T) {
	for _, u := range []rule{
		{below: 5, round: 1},
		{below: 5, round: 1, totals: true},
		{below: 5, round: 5, totals: true},
		{below: 10, round: 10, totals: true},
		{below: 10, round: 3, totals: true},
		{below: 7, round: 20, totals: true},
	} {
		u.method = Suppress
		w := clearer{rule: u}
		clear := func(a, b uint32) (s seen) {
			copy(s[:], w.clearLine(counting.Person, counting.BothWays, [2]uint32{a, b}))
			return s
		}
		if n := recovered(clear, uint32(u.below), 21); n > 0 {
			t.Errorf("%+v: %d worlds are solved", u, n)
		}
	}
}

func TestNoWithheldNumberCanBeRecovered_control(t *testing.T) {
	// Withholding only small numbers, beside a total, is solved at once.
	for name, round := range map[string]int64{"exact": 1, "rounded": 10} {
		primary := func(a, b uint32) (s seen) {
			for i, n := range [3]int64{int64(a), int64(b), int64(a) + int64(b)} {
				s[i] = cell{dir: counting.Direction(i), a: n}
				if !s[i].withholdBelow(10) {
					s[i].a = roundToStep(n, round, maxCount)
				}
			}
			return s
		}
		if n := recovered(primary, 10, 21); n == 0 {
			t.Errorf("%s: primary suppression alone passed: the attack sees nothing", name)
		}
	}
}

func TestTwoStreamsOfOneSensorAreCharged(t *testing.T) {
	// Two lines one behind the other, with a door between them. The difference
	// of the two counts is the number of people at the door, which a single
	// stream would hide. So without noise the second stream is refused, and with
	// noise its ε is charged.
	two := func(classes ...counting.Class) []Stream {
		return []Stream{
			{Stream: counting.Stream{ID: "before-door", Sensor: "north", Classes: classes}, At: "site.toml:10"},
			{Stream: counting.Stream{ID: "after-door", Sensor: "north", Classes: classes}, At: "site.toml:20"},
		}
	}
	without := parse(t, suppressed)
	if cs := without.CheckSite(Site{Streams: two(counting.Person)}); len(cs) != 1 {
		t.Errorf("conflicts: %v", cs)
	}
	with := parse(t, noisy)
	ledger := with.SensorCharges(two(counting.Person))
	if len(ledger) != 1 || ledger[0].Epsilon != 2 || ledger[0].ExceedsLimit() {
		t.Errorf("ledger: %+v", ledger)
	}
	three := append(two(counting.Person), Stream{Stream: counting.Stream{ID: "third", Sensor: "north", Classes: []counting.Class{counting.Person}}})
	if ledger := with.SensorCharges(three); !ledger[0].ExceedsLimit() || ledger[0].Epsilon != 3 {
		t.Errorf("ledger: %+v", ledger)
	}
	if ledger := with.SensorCharges(append(two(counting.Person), Stream{Stream: counting.Stream{ID: "elsewhere", Sensor: "south", Classes: []counting.Class{counting.Person}}})); len(ledger) != 2 || ledger[0].ExceedsLimit() || ledger[1].ExceedsLimit() {
		t.Errorf("another sensor has another account: %+v", ledger)
	}
}
