package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	"kerb/counting"
)

// Loops are the inductive loops at this device. There are none where Lanes is
// empty.
type Loops struct {
	Source   string        // gpio, or street: simulated vehicles, for a demonstration
	Debounce time.Duration // the kernel's debounce period; 0: kerb itself removes contact bounce
	Lines    []LoopLine
	Lanes    []LoopLane
}

// LoopLine is one contact on a GPIO line: the output of a loop detector card,
// or the fault relay of the card.
type LoopLine struct {
	Name       string // its name in lanes and recordings
	GPIO       string // the line's name in the kernel, such as GPIO17
	Chip       string // the chip's label; empty: the board's own
	Pulse      bool   // the card gives one pulse for each vehicle instead of its presence
	ActiveHigh bool
	Bias       string // up, down or none
}

// LoopLane is one stream, measured with one loop, or with two in the direction
// of travel.
type LoopLane struct {
	ID            string
	Loops         []string  // names of one or two lines, in the direction a to b
	Relays        []string  // names of the fault relays of its cards
	Reverse       bool      // Loops are in the direction b to a
	Spacing       float64   // m, from the leading edge of the first loop to that of the second
	LoopLength    float64   // m along the road
	MeanLength    float64   // m, of vehicles, declared: with it the speed at a single loop is estimated
	LengthClasses string    // the length classes: uk or tls, where LengthBounds is empty
	LengthBounds  []float64 // m, ascending: upper bounds of all length classes but the last
	Split         bool      // motorcycle, car and heavy are told apart by length
}

// Streams returns one stream for each lane. Each lane is a sensor of its own,
// because one vehicle passes over one lane only.
func (l Loops) Streams() (all []counting.Stream) {
	pulse := map[string]bool{}
	for _, line := range l.Lines {
		pulse[line.Name] = line.Pulse
	}
	for _, lane := range l.Lanes {
		classes := []counting.Class{counting.Vehicle}
		if lane.Split {
			classes = []counting.Class{counting.Motorcycle, counting.Car, counting.Heavy}
		}
		all = append(all, counting.Stream{
			ID: lane.ID, Kind: counting.LoopStream, Sensor: "loop-" + lane.ID, Classes: classes, OneWay: lane.oneWay(),
			Measures:  lane.measures(slices.ContainsFunc(lane.Loops, func(name string) bool { return pulse[name] })),
			Estimated: len(lane.Loops) == 1 && lane.MeanLength > 0, LengthBins: lane.LengthBins(),
		})
	}
	return all
}

// measures is the set of quantities that the lane can measure. A pulse card gives no
// time for which its loop is covered, a single loop no length, and a speed only with
// a declared length of the vehicles.
func (l LoopLane) measures(pulse bool) counting.QuantitySet {
	pair := len(l.Loops) == 2
	s := counting.NewQuantitySet(counting.Headways)
	if !pulse {
		s |= counting.NewQuantitySet(counting.Occupancy, counting.Gaps, counting.Congested)
	}
	if pair || l.MeanLength > 0 {
		s |= counting.NewQuantitySet(counting.MeanSpeed, counting.Speeds)
	}
	if pair && !pulse {
		s |= counting.NewQuantitySet(counting.Lengths)
	}
	return s
}

// LengthBins are the bins of the lane's length histogram.
func (l LoopLane) LengthBins() counting.LengthBins {
	if own, err := counting.NewLengthBins(l.LengthBounds, nil); err == nil {
		return own
	}
	if l.LengthClasses == "tls" {
		return counting.TLSLengths()
	}
	return counting.UKLengths()
}

// oneWay is the only direction of a lane with a single loop.
func (l LoopLane) oneWay() counting.OneWay {
	switch {
	case len(l.Loops) != 1:
		return counting.BothWays
	case l.Reverse:
		return counting.OnlyBToA
	}
	return counting.OnlyAToB
}

var loopNamePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

type loopsFile struct {
	Source   string         `toml:"source"`
	Debounce duration       `toml:"debounce"`
	Lines    []loopLineFile `toml:"line"`
	Lanes    []loopLaneFile `toml:"lane"`
}

type loopLineFile struct {
	Name       string `toml:"name"`
	GPIO       string `toml:"gpio"`
	Chip       string `toml:"chip"`
	Card       string `toml:"card"`
	ActiveHigh bool   `toml:"active_high"`
	Bias       string `toml:"bias"`
}

type loopLaneFile struct {
	ID         string   `toml:"id"`
	Loops      []string `toml:"loops"`
	Relays     []string `toml:"relays"`
	Reverse    bool     `toml:"reverse"`
	Spacing    float64  `toml:"spacing"`
	LoopLength float64  `toml:"loop_length"`
	MeanLength float64  `toml:"mean_length"`
	Lengths    string   `toml:"lengths"`

	LengthBins []float64 `toml:"length_bins"`

	Split bool `toml:"split"`
}

// duration is a Go duration in quotes.
type duration struct{ time.Duration }

// UnmarshalText accepts the form of time.ParseDuration.
func (w *duration) UnmarshalText(b []byte) (err error) {
	if w.Duration, err = time.ParseDuration(string(b)); err != nil {
		return fmt.Errorf("must be a duration in quotes, such as %q or %q", "5ms", "2m")
	}
	return nil
}

func (l loopsFile) toLoops() Loops {
	v := Loops{Source: cmp.Or(l.Source, "gpio"), Debounce: l.Debounce.Duration}
	for _, n := range l.Lines {
		v.Lines = append(v.Lines, LoopLine{n.Name, n.GPIO, n.Chip, n.Card == "pulse", n.ActiveHigh, cmp.Or(n.Bias, "up")})
	}
	for _, n := range l.Lanes {
		v.Lanes = append(v.Lanes, LoopLane{
			n.ID, n.Loops, n.Relays, n.Reverse, n.Spacing, n.LoopLength, n.MeanLength, cmp.Or(n.Lengths, "uk"), n.LengthBins, n.Split,
		})
	}
	return v
}

func (c checker) checkLoops(l loopsFile, lamp lampFile) {
	if !c.HasKey("loop") && len(l.Lines)+len(l.Lanes) == 0 {
		return
	}
	c.checkOneOf("loop.source", l.Source, "gpio", "street")
	if d := l.Debounce.Duration; d < 0 || d > maxDebounce {
		c.Reject("loop.debounce", `must be "0s"–"20ms"`, "leave it out: kerb removes bounce without losing the first edge's time")
	}
	if len(l.Lanes) == 0 {
		c.Reject("loop.lane", "is missing: nothing is counted over these loops", "add a [[loop.lane]]")
	}
	names, pins := map[string]bool{}, map[string]string{}
	for i, n := range l.Lines {
		key := fmt.Sprintf("loop.line[%d]", i)
		c.checkLoopName(key+".name", n.Name)
		if names[n.Name] {
			c.Reject(key+".name", "must be unique", "another line has it")
		}
		names[n.Name] = true
		if at := pins[n.Chip+"/"+n.GPIO]; at != "" && n.GPIO != "" {
			c.Reject(key+".gpio", "must be another line than "+at+".gpio", "one contact is one line")
		}
		pins[n.Chip+"/"+n.GPIO] = key
		if n.GPIO == "" && l.Source != "street" {
			c.Reject(key+".gpio", "is missing", `the line's name in the kernel, such as "GPIO17"`)
		}
		c.checkOneOf(key+".card", n.Card, "presence", "pulse")
		c.checkOneOf(key+".bias", n.Bias, "up", "down", "none")
	}
	if at := pins[lamp.Chip+"/"+lamp.GPIO]; at != "" && lamp.GPIO != "" {
		c.Reject("lamp.gpio", "must be another line than "+at+".gpio", "loops.md has a drawing of the pins: the lamp on GPIO26")
	}
	pairs := slices.ContainsFunc(l.Lanes, func(n loopLaneFile) bool { return len(n.Loops) == 2 })
	if pairs && l.Debounce.Duration > 0 {
		c.Reject("loop.debounce", "must be left out where a lane has two loops", "the kernel's debounce moves edges by 10 ms and more; a speed would be wrong by several per cent")
	}
	lanes := map[string]string{}
	for i, n := range l.Lanes {
		key := fmt.Sprintf("loop.lane[%d]", i)
		c.checkLane(key, n, names)
		for _, name := range slices.Concat(n.Loops, n.Relays) {
			if lanes[name] != "" {
				c.Reject(key+".loops", "must be other lines than those of "+lanes[name]+": "+name, "a contact belongs to one lane")
			}
			lanes[name] = n.ID
		}
	}
}

func (c checker) checkLane(key string, n loopLaneFile, names map[string]bool) {
	c.checkStream(key, n.ID, nil)
	if len(n.Loops) < 1 || len(n.Loops) > 2 {
		c.Reject(key+".loops", "must name one or two lines", "two give direction, speed and length")
	}
	for _, list := range []struct {
		key   string
		lines []string
	}{{".loops", n.Loops}, {".relays", n.Relays}} {
		for _, name := range list.lines {
			if !names[name] {
				c.Reject(key+list.key, "there is no line "+name, "add a [[loop.line]] of that name")
			}
		}
	}
	if len(n.Loops) == 2 && isOutside(n.Spacing, minSpacing, maxSpacing) {
		c.Reject(key+".spacing", "must be 1–50 m for two loops", "from the leading edge of the first loop to that of the second")
	}
	if (c.HasKey(key+".loop_length") || len(n.Loops) == 2 || n.MeanLength > 0) && isOutside(n.LoopLength, minLoopLength, maxLoopLength) {
		c.Reject(key+".loop_length", "must be 0.3–30 m", "along the road; 2 m is usual")
	}
	if c.HasKey(key+".mean_length") && isOutside(n.MeanLength, minMeanLength, maxMeanLength) {
		c.Reject(key+".mean_length", "must be 1–20 m", "the mean length of vehicles here; it makes a single loop's speed an estimate")
	}
	c.checkOneOf(key+".lengths", n.Lengths, "uk", "tls")
	if c.HasKey(key + ".length_bins") {
		if _, err := counting.NewLengthBins(n.LengthBins, nil); err != nil {
			c.Reject(key+".length_bins", "must be 1–15 bounds in m, ascending", "such as [5.2, 12]: below 5.2 m, to 12 m, and longer")
		}
		if n.Lengths != "" {
			c.Reject(key+".length_bins", "does not go with lengths", "take one of them out")
		}
	}
	if n.Split && len(n.Loops) != 2 {
		c.Reject(key+".split", "must be false for a single loop", "one loop does not know how long a vehicle is")
	}
}

func (c checker) checkLoopName(key, name string) {
	if !loopNamePattern.MatchString(name) {
		c.Reject(key, "must be 1–32 of A–Z, a–z, 0–9, _ and -", "it is the line's name in recordings")
	}
}

func (c checker) checkOneOf(key, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		c.Reject(key, fmt.Sprintf("must be one of %v", allowed), "leave it out for "+allowed[0])
	}
}
